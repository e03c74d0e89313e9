import { describe, expect, it } from "vitest";
import { selectDocuments } from "./select-documents.ts";

const documents = [..."aaabbc"].map((group, index) => ({ id: `${group}${index}`, group }));
const ids = (limit: number | undefined) => selectDocuments(documents, limit).map(({ id }) => id);

describe("selectDocuments()", () => {
  it("returns every document without a limit", () => {
    expect(ids(undefined)).toEqual(["a0", "a1", "a2", "b3", "b4", "c5"]);
  });

  it("takes from every group in turn and keeps the order", () => {
    expect(ids(3)).toEqual(["a0", "b3", "c5"]);
    expect(ids(4)).toEqual(["a0", "a1", "b3", "c5"]);
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DATA_ERROR_CODES, DataError } from "./errors.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

describe("DATA_ERROR_CODES", () => {
  it("is the table of errors in the README", () => {
    const documented = [...readme.matchAll(/^\| `(DATA_[A-Z_]+)` +\|/gm)].map(([, code]) => code!);
    expect(documented.toSorted()).toEqual(DATA_ERROR_CODES.toSorted());
  });
});

describe("DataError", () => {
  it("keeps its code, place and cause", () => {
    const cause = new Error("disk");
    const error = new DataError("DATA_FILE_UNREADABLE", "rows.json: gone", {
      path: "rows.json",
      index: 3,
      cause,
    });
    expect(error).toMatchObject({
      code: "DATA_FILE_UNREADABLE",
      path: "rows.json",
      index: 3,
      cause,
      line: undefined,
    });
    expect(error).toBeInstanceOf(Error);
  });
});

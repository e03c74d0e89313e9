import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MODEL_ERROR_CODES, ModelError } from "./errors.ts";

describe("MODEL_ERROR_CODES", () => {
  it("are the codes of the README's table", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const documented = [...readme.matchAll(/^\| `(MODEL_\w+)` +\|/gm)].map(([, code]) => code!);
    expect(documented.sort()).toEqual([...MODEL_ERROR_CODES].sort());
  });
});

describe("ModelError", () => {
  it("keeps its code, cause and details", () => {
    const cause = new Error("why");
    const error = new ModelError("MODEL_UNSUPPORTED", "no", { cause, details: { key: 1 } });
    expect(error).toMatchObject({
      name: "ModelError",
      code: "MODEL_UNSUPPORTED",
      cause,
      details: { key: 1 },
    });
  });
});

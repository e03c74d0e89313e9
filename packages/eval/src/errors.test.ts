import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EVAL_ERROR_CODES, EvalError } from "./errors.ts";

describe("EvalError", () => {
  it("says where, what was expected and what was there", () => {
    const cause = new Error("low");
    const error = new EvalError("EVAL_FILE_MALFORMED", "bad cell", {
      file: "a.csv",
      record: 3,
      expected: "x",
      got: "y",
      cause,
    });
    expect(error.message).toBe("a.csv:3: bad cell; expected x; got y");
    expect(error).toMatchObject({
      name: "EvalError",
      code: "EVAL_FILE_MALFORMED",
      file: "a.csv",
      record: 3,
      cause,
    });
  });

  it("has exactly the codes that the README explains", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const explained = [...readme.matchAll(/^\| `(EVAL_[A-Z_]+)` +\|/gm)].map((match) => match[1]);
    expect(explained).toEqual([...EVAL_ERROR_CODES]);
  });
});

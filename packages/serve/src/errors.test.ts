import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SERVE_ERROR_CODES, ServeError } from "./errors.ts";

describe("SERVE_ERROR_CODES", () => {
  it("equals the codes in the README's table of errors", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const documented = [...readme.matchAll(/^\| `(SERVE_[A-Z_]+)`/gm)].map((match) => match[1]);
    expect(documented.toSorted()).toEqual([...SERVE_ERROR_CODES].toSorted());
  });
});

describe("ServeError", () => {
  it("keeps its code, parameter and cause", () => {
    const cause = new Error("below");
    const error = new ServeError("SERVE_INTERNAL", "above", { cause, param: "stop" });
    expect(error).toMatchObject({ name: "ServeError", code: "SERVE_INTERNAL", param: "stop", cause });
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TENSOR_ERROR_CODES, TensorError } from "./errors.ts";

describe("TensorError", () => {
  it("carries code, message, details and cause", () => {
    const cause = new Error("below");
    const error = new TensorError("TENSOR_RUNTIME", "it failed", { cause, details: { name: "x" } });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "TensorError", code: "TENSOR_RUNTIME", message: "it failed", cause });
    expect(error.details).toEqual({ name: "x" });
  });

  it("has no cause and no details unless given", () => {
    const error = new TensorError("TENSOR_INTERNAL", "a defect");
    expect(["cause" in error, error.details]).toEqual([false, {}]);
  });
});

describe("TENSOR_ERROR_CODES", () => {
  it("names each code once, with the package's prefix", () => {
    expect(new Set(TENSOR_ERROR_CODES).size).toBe(TENSOR_ERROR_CODES.length);
    expect(TENSOR_ERROR_CODES.filter((code) => !code.startsWith("TENSOR_"))).toEqual([]);
  });

  it("is the table of errors in the README", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const documented = [...readme.matchAll(/^\| `(TENSOR_[A-Z_]+)` +\|/gm)].map(([, code]) => code!);
    expect(documented.toSorted()).toEqual(TENSOR_ERROR_CODES.toSorted());
  });
});

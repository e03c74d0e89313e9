import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LORA_ERROR_CODES, LoraError } from "./errors.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

describe("LORA_ERROR_CODES", () => {
  it("is the table of errors in the README", () => {
    const documented = [...readme.matchAll(/^\| `(LORA_[A-Z_]+)` +\|/gm)].map(([, code]) => code!);
    expect(documented.toSorted()).toEqual(LORA_ERROR_CODES.toSorted());
  });
});

describe("LoraError", () => {
  it("keeps its code, message and cause", () => {
    const cause = new Error("below");
    const error = new LoraError("LORA_ADAPTER_INVALID", "folder: broken", { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "LoraError",
      code: "LORA_ADAPTER_INVALID",
      message: "folder: broken",
      cause,
    });
  });
});

// Every error code a package defines is explained in its README, and the README explains no other.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DATA_ERROR_CODES } from "@flacuna/data";
import { EVAL_ERROR_CODES } from "@flacuna/eval";
import { LORA_ERROR_CODES } from "@flacuna/lora";
import { MODEL_ERROR_CODES } from "@flacuna/model";
import { SERVE_ERROR_CODES } from "@flacuna/serve";
import { TENSOR_ERROR_CODES } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";

const CODES: Readonly<Record<string, readonly string[]>> = {
  tensor: TENSOR_ERROR_CODES,
  model: MODEL_ERROR_CODES,
  lora: LORA_ERROR_CODES,
  data: DATA_ERROR_CODES,
  eval: EVAL_ERROR_CODES,
  serve: SERVE_ERROR_CODES,
};

const readme = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../packages/${name}/README.md`, import.meta.url)), "utf8");

/** The codes in the first column of a table. */
function documentedCodes(name: string): string[] {
  const row = new RegExp(`^\\| *\`(${name.toUpperCase()}_[A-Z_]+)\` *\\|`, "gm");
  return [...readme(name).matchAll(row)].map((match) => match[1]!);
}

describe("error codes", () => {
  it.each(Object.entries(CODES))("of %s are those its README explains", (name, codes) => {
    expect(documentedCodes(name).sort()).toEqual([...codes].sort());
  });

  it.each(Object.entries(CODES))("of %s begin with the package's name", (name, codes) => {
    expect(codes.filter((code) => !code.startsWith(`${name.toUpperCase()}_`))).toEqual([]);
  });
});

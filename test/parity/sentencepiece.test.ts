// Tokens of small `tokenizer.model` files, held to SentencePiece.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTokenizer } from "@flacuna/model";
import { describe, expect, it } from "vitest";
import { goldenPath, readGoldenJson } from "./golden-files.ts";

interface Golden {
  readonly cases: Readonly<
    Record<string, readonly { readonly text: string; readonly ids: number[]; readonly decoded?: string }[]>
  >;
}

const { cases } = await readGoldenJson<Golden>("sentencepiece.json");

async function readModel(name: string) {
  const folder = await mkdtemp(join(tmpdir(), "flacuna-sentencepiece-"));
  await copyFile(goldenPath(`sentencepiece-${name}.model`), join(folder, "tokenizer.model"));
  return readTokenizer(folder).finally(() => rm(folder, { recursive: true }));
}

describe("readTokenizer() of a tokenizer.model", () => {
  it.each(Object.keys(cases))("encodes and decodes with the model %s as SentencePiece does", async (name) => {
    const tokenizer = await readModel(name);
    for (const { text, ids, decoded } of cases[name]!) {
      expect(tokenizer.encode(text, { addBos: false }), JSON.stringify(text)).toEqual(ids);
      if (decoded !== undefined) expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
    }
  });
});

// Tokens and texts of the LLaMA vocabulary, held to Hugging Face's tokenizers and the slow SentencePiece tokenizer.
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readTokenizer, type Tokenizer } from "@flacuna/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { llamaTokenizerFolder, readGoldenJson } from "./golden-files.ts";

interface Tokenizations {
  readonly tokenizerSha256: string;
  readonly cases: readonly { readonly text: string; readonly ids: number[]; readonly decoded: string }[];
}

const golden = await readGoldenJson<Tokenizations>("tokenization.json");
const titled = golden.cases.map((one) => ({ ...one, title: JSON.stringify(one.text).slice(0, 60) }));

describe("readTokenizer()", () => {
  let folder: string;
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    folder = await llamaTokenizerFolder();
    tokenizer = await readTokenizer(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("is tested with the file that the golden tokens were made with", async () => {
    const bytes = await readFile(join(folder, "tokenizer.json"));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(golden.tokenizerSha256);
  });

  it.each(titled)("encodes $title as the reference does", ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it.each(titled)("decodes $title as the reference does", ({ ids, decoded }) => {
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decoded);
  });

  it.each(titled)("decodes $title token by token to the same text", ({ ids, decoded }) => {
    const decoder = tokenizer.incrementalDecoder({ skipSpecialTokens: true });
    const pieces = ids.map((id) => decoder.push(id));
    expect(pieces.join("") + decoder.flush()).toBe(decoded);
  });

  it("encodes the same where the file marks its special tokens as normalized, as older conversions do", async () => {
    const path = join(folder, "tokenizer.json");
    const json = await readFile(path, "utf8");
    await writeFile(path, json.replaceAll('"normalized":false', '"normalized":true'));
    const older = await readTokenizer(folder);
    await writeFile(path, json);
    expect(golden.cases.map(({ text }) => older.encode(text))).toEqual(golden.cases.map(({ ids }) => ids));
  });
});

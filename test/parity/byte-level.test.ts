// Tokens of a small byte-level vocabulary, from its tokenizer.json and from GGUF metadata, held to transformers.
import { readFile } from "node:fs/promises";
import { createTokenizer, type GgufValue, readTokenizer, tokenizerFilesFromGguf } from "@flacuna/model";
import { describe, expect, it } from "vitest";
import { goldenPath, readGoldenJson } from "./golden-files.ts";

interface Golden {
  readonly cases: readonly { readonly text: string; readonly ids: number[]; readonly decoded: string }[];
  /** Ids of the same texts by the name of the pre-tokenizer. */
  readonly preTokenizers: Readonly<Record<string, number[][]>>;
}

const { cases, preTokenizers } = await readGoldenJson<Golden>("byte-level.json");
const folder = goldenPath("byte-level-tokenizer");

const CONTROL = 3;
const NORMAL = 1;

/** The vocabulary as conversion to GGUF writes it. */
async function ggufMetadata(pre: string): Promise<Map<string, GgufValue>> {
  const { model, added_tokens } = JSON.parse(await readFile(`${folder}/tokenizer.json`, "utf8"));
  const tokens = Object.keys(model.vocab).sort((a, b) => model.vocab[a] - model.vocab[b]);
  const controls = new Set(added_tokens.map(({ id }: { id: number }) => id));
  return new Map<string, GgufValue>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", pre],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", tokens.map((_, id) => (controls.has(id) ? CONTROL : NORMAL))],
    ["tokenizer.ggml.merges", model.merges.map((pair: string[]) => pair.join(" "))],
    ["tokenizer.ggml.eos_token_id", model.vocab["<|im_end|>"]],
    ["tokenizer.ggml.add_bos_token", false],
  ]);
}

describe("readTokenizer() of a byte-level vocabulary", () => {
  it("encodes and decodes some hundred lines as transformers does", async () => {
    const tokenizer = await readTokenizer(folder);
    expect(cases.length).toBeGreaterThan(250);
    for (const { text, ids, decoded } of cases) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
    }
  });
});

describe("tokenizerFilesFromGguf()", () => {
  it.each(Object.keys(preTokenizers))("cuts words as the tokenizers called %s do", async (pre) => {
    const path = "byte-level.gguf";
    const tokenizer = createTokenizer(tokenizerFilesFromGguf({ metadata: await ggufMetadata(pre), path }));
    for (const [i, { text }] of cases.entries()) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(preTokenizers[pre]![i]);
    }
  });
});

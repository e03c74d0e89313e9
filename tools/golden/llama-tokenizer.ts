/** The LLaMA vocabulary as a Hugging Face `tokenizer.json`; what reads that file lives elsewhere. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import llamaTokenizer from "llama-tokenizer-js";

const SPECIAL_TOKENS = ["<unk>", "<s>", "</s>"];

function addedToken(content: string, id: number) {
  return {
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    // Not normalized: a segment after a special token then gets its own "▁", as in the slow tokenizer's legacy mode.
    normalized: false,
    special: true,
  };
}

/** The 32,000 pieces and their merges in the format of the `tokenizers` library (BPE, byte fallback, prepended "▁"). */
export function llamaTokenizerJson(): string {
  const bos = { SpecialToken: { id: "<s>", type_id: 0 } };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map(addedToken),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [bos, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        bos,
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "<s>", type_id: 1 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(llamaTokenizer.vocabById.map((piece, id) => [piece, id])),
      merges: [...llamaTokenizer.merges.keys()],
    },
  };
  return `${JSON.stringify(tokenizer)}\n`;
}

/** `tokenizer_config.json` as the LLaMA conversions carry it, with Vicuna's padding token. */
export function llamaTokenizerConfigJson(): string {
  const config = {
    add_bos_token: true,
    add_eos_token: false,
    bos_token: "<s>",
    clean_up_tokenization_spaces: false,
    eos_token: "</s>",
    legacy: true,
    model_max_length: 2048,
    pad_token: "<unk>",
    tokenizer_class: "LlamaTokenizer",
    unk_token: "<unk>",
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Writes `tokenizer.json` and `tokenizer_config.json` into the folder, making it first. */
export function writeLlamaTokenizer(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tokenizer.json"), llamaTokenizerJson());
  writeFileSync(join(folder, "tokenizer_config.json"), llamaTokenizerConfigJson());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error("usage: llama-tokenizer.ts FOLDER");
  writeLlamaTokenizer(folder);
}

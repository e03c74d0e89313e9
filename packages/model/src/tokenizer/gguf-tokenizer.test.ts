import { describe, expect, it } from "vitest";
import { llamaPieces } from "../fixtures/llama-pieces.ts";
import { llamaTokenizerFiles } from "../fixtures/llama-tokenizer-files.ts";
import { createTokenizer } from "../tokenizer.ts";
import type { GgufValue } from "../weights/gguf-header.ts";
import { tokenizerFilesFromGguf } from "./gguf-tokenizer.ts";
import { TOKEN_KIND } from "./token-kinds.ts";

const TEXTS = [
  "",
  "Hello world",
  "  two  spaces ",
  "a</s>b <s>.",
  "def f(x):\n\treturn x",
  "日本語 👩‍👩‍👧 ü",
  " ".repeat(37),
  "======",
];

/** Metadata with `tokenizer.ggml` before each key that has no dot. */
function metadata(values: Readonly<Record<string, GgufValue | undefined>>): Map<string, GgufValue> {
  const named = Object.entries(values).filter(
    (entry): entry is [string, GgufValue] => entry[1] !== undefined,
  );
  return new Map(named.map(([key, value]) => [key.includes(".") ? key : `tokenizer.ggml.${key}`, value]));
}

const tokenizerOf = (values: Readonly<Record<string, GgufValue | undefined>>) =>
  createTokenizer(tokenizerFilesFromGguf({ metadata: metadata(values), path: "toy.gguf" }));

const pieces = llamaPieces();
const LLAMA = {
  model: "llama",
  tokens: pieces.map(({ text }) => text),
  scores: pieces.map(({ score }) => score),
  token_type: pieces.map(({ kind }) => kind),
  bos_token_id: 1,
  eos_token_id: 2,
  unknown_token_id: 0,
};

const CHARACTERS = ["h", "e", "l", "o", "Ġ", "w", "r", "d", "1", "2", "'", "s", "Ċ"];
const MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "1 2", "Ċ Ċ"];
const SPECIALS = ["<|begin|>", "<|end|>", "<|eot|>", "<sep>"];
const TOKENS = [...CHARACTERS, ...MERGES.map((pair) => pair.replace(" ", "")), ...SPECIALS];
const id = (token: string) => TOKENS.indexOf(token);
const BYTES = {
  model: "gpt2",
  pre: "smollm",
  tokens: TOKENS,
  merges: MERGES,
  token_type: TOKENS.map((token) => {
    if (token === "<sep>") return TOKEN_KIND.userDefined;
    return SPECIALS.includes(token) ? TOKEN_KIND.control : TOKEN_KIND.normal;
  }),
  bos_token_id: id("<|begin|>"),
  eos_token_id: id("<|end|>"),
  eot_token_id: id("<|eot|>"),
};

describe("tokenizerFilesFromGguf()", () => {
  it("reads LLaMA's vocabulary so that it encodes and decodes as from its other files", () => {
    const [ours, other] = [tokenizerOf(LLAMA), createTokenizer(llamaTokenizerFiles())];
    for (const text of TEXTS) {
      const ids = other.encode(text);
      expect(ours.encode(text), text).toEqual(ids);
      expect(ours.decode(ids, { skipSpecialTokens: true })).toBe(
        other.decode(ids, { skipSpecialTokens: true }),
      );
    }
    expect(ours).toMatchObject({
      vocabSize: 32000,
      bosTokenId: 1,
      eosTokenId: 2,
      padTokenId: 0,
      endTokenIds: [2],
    });
  });

  it("knows LLaMA's kinds of tokens and special ids where the file does not give them", () => {
    const older = tokenizerOf({ model: "llama", tokens: LLAMA.tokens, scores: LLAMA.scores });
    const ours = tokenizerOf(LLAMA);
    for (const text of TEXTS) expect(older.encode(text)).toEqual(ours.encode(text));
  });

  it("begins and prefixes LLaMA's texts as the file says", () => {
    const plain = tokenizerOf({ ...LLAMA, add_bos_token: false, add_space_prefix: false });
    expect(plain.encode("Hello world")).toEqual([10994, 3186]);
    expect(plain.decode([3186])).toBe(" world");
  });

  it("cuts bytes into words as the named pre-tokenizer does", () => {
    const encode = (pre: string, text: string) =>
      tokenizerOf({ ...BYTES, pre })
        .encode(text, { addBos: false })
        .map((token) => TOKENS[token]);
    expect(encode("smollm", "hello wor12")).toEqual(["hello", "Ġwor", "1", "2"]);
    expect(encode("gpt-2", "hello wor12")).toEqual(["hello", "Ġwor", "12"]);
    expect(encode("llama-bpe", "\n\n12")).toEqual(["ĊĊ", "12"]);
    expect(encode("qwen2", "\n\n12")).toEqual(["ĊĊ", "1", "2"]);
    expect(encode("deepseek-coder", "\n\n12")).toEqual(["Ċ", "Ċ", "1", "2"]);
  });

  it("finds control and user-defined tokens in texts, and decodes", () => {
    const tokenizer = tokenizerOf(BYTES);
    const ids = tokenizer.encode("hello<sep> world<|end|>");
    expect(ids.map((token) => TOKENS[token])).toEqual(["hello", "<sep>", "Ġwor", "l", "d", "<|end|>"]);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("hello<sep> world");
  });

  it("begins texts where the file says so, or the kind of tokenizer does", () => {
    const begins = (values: object) =>
      tokenizerOf({ ...BYTES, ...values }).encode("h")[0] === id("<|begin|>");
    expect(begins({})).toBe(false);
    expect(begins({ add_bos_token: true })).toBe(true);
    expect(begins({ pre: "llama-bpe" })).toBe(true);
    expect(begins({ pre: "llama-bpe", add_bos_token: false })).toBe(false);
  });

  it("takes along the chat template and what ends a turn", () => {
    const tokenizer = tokenizerOf({ ...BYTES, "tokenizer.chat_template": "{{ bos_token }}" });
    expect(tokenizer.chatTemplate).toBe("{{ bos_token }}");
    expect(tokenizer).toMatchObject({
      eosTokenId: id("<|end|>"),
      endTokenIds: [id("<|end|>"), id("<|eot|>")],
    });
  });

  it.each([
    ["no tokenizer", { model: undefined, tokens: undefined }, "MODEL_TOKENIZER_INVALID", "tokens"],
    ["another kind", { model: "bert" }, "MODEL_UNSUPPORTED", '"bert"'],
    ["an unknown pre-tokenizer", { pre: "new" }, "MODEL_UNSUPPORTED", '"new"'],
    ["no pre-tokenizer", { pre: undefined }, "MODEL_UNSUPPORTED", "tokenizer.json beside"],
    ["no merges", { merges: undefined }, "MODEL_TOKENIZER_INVALID", "merges"],
    ["too few kinds", { token_type: [1] }, "MODEL_TOKENIZER_INVALID", "token_type"],
    ["tokens that are numbers", { tokens: [1, 2] }, "MODEL_TOKENIZER_INVALID", "tokens"],
    ["no scores", { model: "llama" }, "MODEL_TOKENIZER_INVALID", "scores"],
  ])("refuses a file with %s", (_, values, code, message) => {
    expect(() => tokenizerOf({ ...BYTES, ...values })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});

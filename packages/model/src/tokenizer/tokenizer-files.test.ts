import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { field, ggufBytes } from "../fixtures/gguf-bytes.ts";
import { llamaPieces } from "../fixtures/llama-pieces.ts";
import { llamaTokenizerFiles } from "../fixtures/llama-tokenizer-files.ts";
import { bytesField, integerField, sentencePieceBytes } from "../fixtures/sentencepiece-bytes.ts";
import { TOY_TOKENIZER } from "../fixtures/toy-tokenizer.ts";
import { createTokenizer, readTokenizer } from "../tokenizer.ts";
import type { Piece } from "./sentencepiece-model.ts";
import { TOKEN_KIND } from "./token-kinds.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tokenizer-files-"));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (name: string, content: Uint8Array | object) =>
  writeFile(join(folder, name), content instanceof Uint8Array ? content : JSON.stringify(content));

const LLAMA_MODEL = sentencePieceBytes({
  algorithm: "bpe",
  pieces: llamaPieces(),
  byteFallback: true,
  removesExtraSpaces: false,
});

const piece = (text: string, score: number, kind: number = TOKEN_KIND.normal): Piece => ({
  text,
  score,
  kind,
});
const SPECIALS = [
  piece("<unk>", 0, TOKEN_KIND.unknown),
  piece("<s>", 0, TOKEN_KIND.control),
  piece("</s>", 0, TOKEN_KIND.control),
];
const SMALL: readonly Piece[] = [
  ...SPECIALS,
  piece("<sep>", 0, TOKEN_KIND.userDefined),
  piece("ab", -1),
  piece("▁ab", -2),
  ...[..."▁abc<sep>"].map((character, i) => piece(character, -3 - i)),
];

const GGUF_FIELDS = [
  field.string("tokenizer.ggml.model", "gpt2"),
  field.string("tokenizer.ggml.pre", "gpt-2"),
  field.strings("tokenizer.ggml.tokens", ["a", "b", "ab", "<end>"]),
  field.int32s("tokenizer.ggml.token_type", [1, 1, 1, 3]),
  field.strings("tokenizer.ggml.merges", ["a b"]),
  field.uint32("tokenizer.ggml.eos_token_id", 3),
];

describe("readTokenizer() of a tokenizer.model", () => {
  it("gives LLaMA's tokens, as from its tokenizer.json", async () => {
    await write("tokenizer.model", LLAMA_MODEL);
    const [ours, other] = [await readTokenizer(folder), createTokenizer(llamaTokenizerFiles())];
    for (const text of [
      "Hello world",
      "",
      "a</s>b",
      "  x\ty\n",
      "日本語 👩‍👩‍👧",
      " ".repeat(45),
      "-".repeat(77),
      "<0x41>",
    ]) {
      const ids = other.encode(text);
      expect(ours.encode(text), text).toEqual(ids);
      expect(ours.decode(ids)).toBe(other.decode(ids));
    }
    expect(ours).toMatchObject({ vocabSize: 32000, bosTokenId: 1, eosTokenId: 2, padTokenId: 0 });
  });

  it("joins pairs of equal score from left to right", async () => {
    const pieces = [...SPECIALS, piece("ab", -1), piece("ba", -1), piece("a", -2), piece("b", -3)];
    await write("tokenizer.model", sentencePieceBytes({ algorithm: "bpe", pieces, addsPrefix: false }));
    const tokenizer = await readTokenizer(folder);
    expect(tokenizer.encode("ababa", { addBos: false })).toEqual([3, 3, 5]);
    expect(tokenizer.encode("babab", { addBos: false })).toEqual([4, 4, 6]);
  });

  it("cuts out the user's own tokens, which end no stretch of text", async () => {
    await write("tokenizer.model", sentencePieceBytes({ algorithm: "bpe", pieces: SMALL }));
    const tokenizer = await readTokenizer(folder);
    expect(tokenizer.encode("ab<sep>ab", { addBos: false })).toEqual([5, 3, 4]);
    expect(tokenizer.encode("ab</s>ab", { addBos: false })).toEqual([5, 2, 5]);
  });

  it("prefixes only the beginning of a text where the configuration is not legacy", async () => {
    await write("tokenizer.model", sentencePieceBytes({ algorithm: "bpe", pieces: SMALL }));
    await write("tokenizer_config.json", { legacy: false, add_bos_token: false });
    expect((await readTokenizer(folder)).encode("ab</s>ab")).toEqual([5, 2, 4]);
  });

  it("removes spaces as the model says", async () => {
    await write("tokenizer.model", sentencePieceBytes({ algorithm: "unigram", pieces: SMALL }));
    const tokenizer = await readTokenizer(folder);
    expect(tokenizer.encode("  ab   ab ", { addBos: false })).toEqual([5, 5]);
    expect(tokenizer.decode([5, 5])).toBe("ab ab");
    expect(tokenizer.encode("   ", { addBos: false })).toEqual([]);
  });

  it("knows its special tokens where an early conversion names them by empty strings", async () => {
    await write("tokenizer.model", LLAMA_MODEL);
    await write("tokenizer_config.json", { bos_token: "", eos_token: "", unk_token: "", pad_token: null });
    await write("special_tokens_map.json", {});
    expect(await readTokenizer(folder)).toMatchObject({ bosTokenId: 1, eosTokenId: 2, padTokenId: 0 });
  });

  it("adds the tokens of added_tokens.json and of the configuration", async () => {
    await write("tokenizer.model", LLAMA_MODEL);
    await write("added_tokens.json", { "<pad>": 32000 });
    await write("tokenizer_config.json", {
      pad_token: "<pad>",
      eos_token: "<|im_end|>",
      added_tokens_decoder: { 32001: { content: "<|im_end|>", special: true } },
    });
    const tokenizer = await readTokenizer(folder);
    expect(tokenizer).toMatchObject({ vocabSize: 32002, padTokenId: 32000, eosTokenId: 32001 });
    expect(tokenizer.encode("Hello<|im_end|>")).toEqual([1, 15043, 32001]);
  });

  it.each([
    ["no model at all", Buffer.from("not a model"), "MODEL_TOKENIZER_INVALID"],
    ["an empty file", new Uint8Array(0), "MODEL_TOKENIZER_INVALID"],
    ["a model cut short", LLAMA_MODEL.subarray(0, 1001), "MODEL_TOKENIZER_INVALID"],
    [
      "a model without an unknown token",
      sentencePieceBytes({ pieces: SMALL.slice(1) }),
      "MODEL_TOKENIZER_INVALID",
    ],
    ["tiktoken's file", Buffer.from("IQ== 0\nIg== 1\n"), "MODEL_UNSUPPORTED"],
    ["a model of words", bytesField(2, integerField(3, 3)), "MODEL_UNSUPPORTED"],
    ["a model with spaces behind", bytesField(2, integerField(24, 1)), "MODEL_UNSUPPORTED"],
  ])("refuses %s", async (_, bytes, code) => {
    await write("tokenizer.model", bytes);
    await expect(readTokenizer(folder)).rejects.toMatchObject({ code });
  });
});

describe("readTokenizer() of other places", () => {
  it("reads the tokenizer in a GGUF file, by its path or as the only one in a folder", async () => {
    await write("x.gguf", ggufBytes(GGUF_FIELDS, []));
    for (const path of [folder, join(folder, "x.gguf")]) {
      const tokenizer = await readTokenizer(path);
      expect(tokenizer.encode("abab<end>")).toEqual([2, 2, 3]);
    }
  });

  it("goes by tokenizer.json first, then tokenizer.model, then the GGUF file", async () => {
    const size = async () => (await readTokenizer(folder)).vocabSize;
    await write("x.gguf", ggufBytes(GGUF_FIELDS, []));
    expect(await size()).toBe(4);
    await write("tokenizer.model", sentencePieceBytes({ algorithm: "bpe", pieces: SMALL }));
    expect(await size()).toBe(SMALL.length);
    await write("tokenizer.json", TOY_TOKENIZER.tokenizer);
    expect(await size()).toBe(50);
  });

  it("does not choose between two GGUF files", async () => {
    await write("a.gguf", ggufBytes(GGUF_FIELDS, []));
    await write("b.gguf", ggufBytes(GGUF_FIELDS, []));
    await expect(readTokenizer(folder)).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
      details: { files: ["a.gguf", "b.gguf"] },
    });
  });

  it("says what a folder without a tokenizer lacks", async () => {
    await expect(readTokenizer(folder)).rejects.toMatchObject({
      code: "MODEL_FILE_UNREADABLE",
      message: expect.stringContaining("tokenizer.json"),
    });
    await expect(readTokenizer(join(folder, "none"))).rejects.toMatchObject({
      code: "MODEL_FILE_UNREADABLE",
    });
  });

  it("takes ends of turns from generation_config.json, and no wrong ones", async () => {
    const { tokenizer } = TOY_TOKENIZER;
    const added = [...(tokenizer.added_tokens as object[]), { id: 50, content: "<|eot|>", special: true }];
    await write("tokenizer.json", { ...tokenizer, added_tokens: added });
    await write("generation_config.json", { eos_token_id: [0, 1, 2, 7, 50, 99] });
    expect((await readTokenizer(folder)).endTokenIds).toEqual([2, 50]);
    await write("generation_config.json", { eos_token_id: 1 });
    expect((await readTokenizer(folder)).endTokenIds).toEqual([2]);
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer as Reference } from "tokenizers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { llamaTokenizerFiles } from "./fixtures/llama-tokenizer-files.ts";
import { createTokenizer, readTokenizer } from "./tokenizer.ts";

const files = llamaTokenizerFiles();
const tokenizer = createTokenizer(files);
const reference = Reference.fromString(JSON.stringify(files.tokenizer));

const TEXTS = [
  "",
  " ",
  "   three  spaces   ",
  "\n\nlines\n",
  "A chat between a curious user and an artificial intelligence assistant. USER: Hi! ASSISTANT: Hello.</s>USER: more",
  "</s></s> x </s>",
  "<s>.",
  "Grüße, 日本語, עברית, 👩‍👩‍👧 and \u0000 control",
  "def f(x):\n\treturn x ** 2  # ▁ mark",
  "x".repeat(500),
  " ".repeat(200),
  "the the the ".repeat(50),
];

/** Many more: random strings over an alphabet of what has gone wrong in tokenizers. */
function randomTexts(count: number): string[] {
  const alphabet = [
    "a",
    "e",
    "th",
    "ing",
    " ",
    "  ",
    "▁",
    "\n",
    "1",
    ".",
    "é",
    "世",
    "😀",
    "</s>",
    "<s>",
    "<0x41>",
    "<",
  ];
  let state = 12345;
  const draw = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: draw(40) }, () => alphabet[draw(alphabet.length)]).join(""),
  );
}

describe("encode()", () => {
  it("knows the ids of the LLaMA vocabulary", () => {
    expect(tokenizer.encode("Hello world")).toEqual([1, 15043, 3186]);
    expect(tokenizer.encode("<s>.", { addBos: false })).toEqual([1, 869]);
    expect(tokenizer.encode("\n", { addBos: false })).toEqual([29871, 13]);
    expect(tokenizer.encode(" ASSISTANT: ", { addBos: false }).at(-1)).toBe(29871);
  });

  it("agrees with the reference implementation", async () => {
    for (const text of [...TEXTS, ...randomTexts(300)]) {
      expect(tokenizer.encode(text)).toEqual((await reference.encode(text)).getIds());
    }
  });

  it("encodes each stretch after a special token with its own leading space", () => {
    const joined = tokenizer.encode("a</s>b", { addBos: false });
    const apart = ["a", "b"].map((text) => tokenizer.encode(text, { addBos: false }));
    expect(joined).toEqual([...apart[0]!, 2, ...apart[1]!]);
  });

  it("gives fresh arrays that the caller may change", () => {
    const ids = tokenizer.encode("the", { addBos: false });
    ids[0] = 7;
    expect(tokenizer.encode("the", { addBos: false })).not.toEqual(ids);
  });

  it("adds the beginning only where the checkpoint does", () => {
    const plain = createTokenizer({ ...files, tokenizer: { ...files.tokenizer, post_processor: null } });
    expect(plain.encode("Hello")).toEqual([15043]);
    expect(plain.encode("Hello", { addBos: true })).toEqual([1, 15043]);
  });

  it("prefixes a space only at the beginning of the text when the checkpoint says so", () => {
    const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false };
    const later = createTokenizer({
      ...files,
      tokenizer: { ...files.tokenizer, normalizer: null, pre_tokenizer: metaspace },
    });
    expect(later.encode("<s>.", { addBos: false })).toEqual([1, 29889]);
    expect(later.encode(".", { addBos: false })).toEqual([869]);
  });
});

describe("byte-level vocabularies", () => {
  const characters = ["h", "e", "l", "o", "Ġ", "w", "r", "d", "1", "2", "Ã", "¶", "Ċ"];
  const merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or"];
  const vocab = Object.fromEntries(
    [...characters, ...merges.map((pair) => pair.replace(" ", ""))].map((t, i) => [t, i]),
  );
  const byteLevel: Record<string, unknown> = {
    version: "1.0",
    added_tokens: [
      {
        id: 99,
        content: "<|end|>",
        special: true,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
      },
    ],
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Digits", individual_digits: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab, merges, byte_fallback: false, fuse_unk: false, unk_token: null },
  };
  const small = createTokenizer({ tokenizer: byteLevel, config: { eos_token: "<|end|>" } });

  it("are encoded and decoded as by the reference implementation", async () => {
    // The reference demands consecutive ids for added tokens.
    const theirs = Reference.fromString(JSON.stringify({ ...byteLevel, added_tokens: [] }));
    for (const text of ["hello world", "hello  wörld 1221", "\nhello", "hellohello"]) {
      const ids = small.encode(text);
      expect(ids).toEqual((await theirs.encode(text)).getIds());
      expect(small.decode(ids)).toBe(text);
    }
  });

  it("pad with the end of the sequence when there is nothing else, and count holes in the ids", () => {
    expect(small).toMatchObject({ bosTokenId: undefined, eosTokenId: 99, padTokenId: 99, vocabSize: 100 });
  });
});

describe("decode()", () => {
  it("agrees with the reference implementation", async () => {
    for (const text of [...TEXTS, ...randomTexts(100)]) {
      const ids = tokenizer.encode(text);
      for (const skipSpecialTokens of [true, false]) {
        expect(tokenizer.decode(ids, { skipSpecialTokens })).toBe(
          await reference.decode(ids, skipSpecialTokens),
        );
      }
    }
  });

  it("loses exactly one leading space", () => {
    const ids = ["▁▁▁", "▁return"].map((token) => tokenizer.tokenToId(token)!);
    expect(tokenizer.decode(ids)).toBe("   return");
  });

  it("leaves out ids that have no token", () => {
    expect(tokenizer.decode([15043, 40_000])).toBe("Hello");
  });
});

describe("incrementalDecoder()", () => {
  it("gives the text of the whole in pieces, none with half a character", () => {
    for (const text of TEXTS) {
      const ids = tokenizer.encode(text);
      const decoder = tokenizer.incrementalDecoder({ skipSpecialTokens: true });
      const pieces = ids.map((id) => decoder.push(id));
      expect(pieces.join("")).not.toContain("\uFFFD");
      expect(pieces.join("") + decoder.flush()).toBe(tokenizer.decode(ids, { skipSpecialTokens: true }));
    }
  });

  it("holds back the bytes of a character until it is whole", () => {
    const decoder = tokenizer.incrementalDecoder();
    const bytes = [0xf0, 0x9f, 0x98, 0x80].map((byte) => byte + 3);
    expect(bytes.map((id) => decoder.push(id))).toEqual(["", "", "", "😀"]);
  });

  it("gives up bytes of no character at the end", () => {
    const decoder = tokenizer.incrementalDecoder();
    expect(decoder.push(0xf0 + 3)).toBe("");
    expect(decoder.flush()).toBe("\uFFFD");
  });
});

describe("createTokenizer()", () => {
  it("resolves the special tokens of Vicuna", () => {
    expect(tokenizer).toMatchObject({ vocabSize: 32000, bosTokenId: 1, eosTokenId: 2, padTokenId: 0 });
  });

  it("reads tokens written as objects", () => {
    const config = { eos_token: { __type: "AddedToken", content: "</s>" }, bos_token: { content: "<s>" } };
    expect(createTokenizer({ tokenizer: files.tokenizer, config })).toMatchObject({
      bosTokenId: 1,
      eosTokenId: 2,
    });
  });

  it("takes the usual names when no other file is there", () => {
    expect(createTokenizer({ tokenizer: files.tokenizer })).toMatchObject({
      bosTokenId: 1,
      eosTokenId: 2,
      padTokenId: 0,
    });
  });

  it("finds a chat template by the name default", () => {
    const chat_template = [
      { name: "tool_use", template: "t" },
      { name: "default", template: "d" },
    ];
    expect(createTokenizer({ ...files, config: { ...files.config, chat_template } }).chatTemplate).toBe("d");
  });

  it("takes the usual names where early conversions have empty ones", () => {
    const config = { bos_token: "", eos_token: "", unk_token: "" };
    expect(createTokenizer({ tokenizer: files.tokenizer, config, specialTokensMap: {} })).toMatchObject({
      bosTokenId: 1,
      eosTokenId: 2,
      padTokenId: 0,
    });
  });

  it("refuses a tokenizer without an end of sequence", () => {
    const config = { eos_token: "<nowhere>" };
    expect(() => createTokenizer({ ...files, config, specialTokensMap: {} })).toThrow(/eos_token/);
  });

  it.each([
    [{ type: "WordPiece", vocab: {} }, "MODEL_UNSUPPORTED"],
    [{ type: "Unigram", vocab: [] }, "MODEL_TOKENIZER_INVALID"],
    [{ type: "Unigram", vocab: ["a"], unk_id: 0 }, "MODEL_TOKENIZER_INVALID"],
    [{ type: "BPE", vocab: { a: 0 }, merges: ["a b"] }, "MODEL_TOKENIZER_INVALID"],
    [{ type: "BPE", vocab: { a: "0" }, merges: [] }, "MODEL_TOKENIZER_INVALID"],
    [{ type: "BPE", vocab: { a: 0 } }, "MODEL_TOKENIZER_INVALID"],
    [{ type: "BPE", vocab: { a: 0 }, merges: [], dropout: 0.1 }, "MODEL_UNSUPPORTED"],
    [undefined, "MODEL_TOKENIZER_INVALID"],
  ])("refuses the model %j", (model, code) => {
    expect(() => createTokenizer({ ...files, tokenizer: { ...files.tokenizer, model } })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});

describe("parts that would end the process", () => {
  const rules = { type: "Precompiled", precompiled_charsmap: "AAAA" };
  it.each([
    [{ decoder: { type: "Strip", content: " ", start: 0, stop: 1 } }, "MODEL_UNSUPPORTED"],
    [{ pre_tokenizer: { type: "FixedLength", length: 0 } }, "MODEL_UNSUPPORTED"],
    [{ normalizer: { type: "Sequence", normalizers: [{ type: "Lowercase" }, rules] } }, "MODEL_UNSUPPORTED"],
    [{ normalizer: rules }, "MODEL_TOKENIZER_INVALID"],
    [{ normalizer: { type: "Replace", pattern: { Regex: "(" }, content: "" } }, "MODEL_TOKENIZER_INVALID"],
  ])("are refused: %j", (parts, code) => {
    expect(() => createTokenizer({ ...files, tokenizer: { ...files.tokenizer, ...parts } })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});

describe("added tokens", () => {
  const withTokens = (added_tokens: unknown) =>
    createTokenizer({ ...files, tokenizer: { ...files.tokenizer, added_tokens } });
  const eos = { id: 2, content: "</s>", special: true };

  it("are found the longest first, and take white space along when they say so", () => {
    const added = withTokens([
      eos,
      { id: 32000, content: "<|a|>", lstrip: true, rstrip: true },
      { id: 32001, content: "<|a|>+" },
    ]);
    expect(added.encode("<|a|>+ <|a|> ", { addBos: false })).toEqual([32001, 32000]);
    expect(added.vocabSize).toBe(32002);
  });

  it("count as single words only between other characters", () => {
    const added = withTokens([eos, { id: 32000, content: "now", single_word: true }]);
    expect(added.encode("now", { addBos: false })).toEqual([32000]);
    expect(added.encode("know", { addBos: false })).not.toContain(32000);
  });

  it.each([["x"], [[{ id: "2", content: "</s>" }]], [[null]]])("are refused when they are %j", (tokens) => {
    expect(() => withTokens(tokens)).toThrow(expect.objectContaining({ code: "MODEL_TOKENIZER_INVALID" }));
  });
});

describe("readTokenizer()", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tokenizer-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("reads the files of a checkpoint", async () => {
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(files.tokenizer));
    await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(files.config));
    await writeFile(join(folder, "special_tokens_map.json"), JSON.stringify(files.specialTokensMap));
    await writeFile(join(folder, "chat_template.jinja"), "{{ bos_token }}");
    const read = await readTokenizer(folder);
    expect(read).toMatchObject({ vocabSize: 32000, padTokenId: 0, chatTemplate: "{{ bos_token }}" });
    expect(read.encode("Hello world")).toEqual([1, 15043, 3186]);
  });
});

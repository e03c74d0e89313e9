// The recurring parts of a `tokenizer.json`, as Hugging Face writes them. Knows no vocabulary.

/** Pieces written with a character per byte; `splitsWords` cuts words as GPT-2 does. */
export const byteLevel = (splitsWords: boolean, addPrefixSpace = false) => ({
  type: "ByteLevel",
  add_prefix_space: addPrefixSpace,
  trim_offsets: true,
  use_regex: splitsWords,
});

/** Cuts out the matches of a pattern in Oniguruma's syntax. */
export const isolate = (pattern: string) => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});

/** Replaces a string. */
export const replace = (from: string, to: string) => ({
  type: "Replace",
  pattern: { String: from },
  content: to,
});

/** Replaces the matches of a pattern in Oniguruma's syntax. */
export const replacePattern = (from: string, to: string) => ({
  type: "Replace",
  pattern: { Regex: from },
  content: to,
});

/** An entry of `added_tokens` without conditions. */
export const addedToken = (id: number, content: string, special: boolean) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  // Looked for in the text as it is: what follows then begins like a text of its own.
  normalized: false,
  special,
});

/** A post-processor that begins every text with a token. */
export function beginWith(id: number, content: string) {
  const first = { SpecialToken: { id: content, type_id: 0 } };
  const text = (id: "A" | "B", type_id: number) => ({ Sequence: { id, type_id } });
  return {
    type: "TemplateProcessing",
    single: [first, text("A", 0)],
    pair: [first, text("A", 0), text("B", 1)],
    special_tokens: { [content]: { id: content, ids: [id], tokens: [content] } },
  };
}

/** The `model` of type BPE, with the options that most have. */
export const bytePairModel = (model: {
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly unknown[];
  readonly unk_token?: string | undefined;
  readonly fuse_unk?: boolean;
  readonly byte_fallback?: boolean;
  readonly ignore_merges?: boolean;
}) => ({
  type: "BPE",
  dropout: null,
  unk_token: model.unk_token ?? null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: model.fuse_unk ?? false,
  byte_fallback: model.byte_fallback ?? false,
  ignore_merges: model.ignore_merges ?? false,
  vocab: model.vocab,
  merges: model.merges,
});

/** The file around its parts. */
export const tokenizerJson = (parts: {
  readonly added_tokens: readonly unknown[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: unknown;
}) => ({ version: "1.0", truncation: null, padding: null, ...parts });

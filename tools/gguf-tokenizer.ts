// The byte-level BPE tokenizer in the metadata of a GGUF file, as Hugging Face's `tokenizer.json` and
// `tokenizer_config.json`. Knows the pre-tokenizer called "smollm" only.
import type { GgufFile } from "@flacuna/model";

/** ggml's kinds of tokens that are matched as they stand, before any splitting. */
const CONTROL = 3;
const USER_DEFINED = 4;

/** The two files, parsed. */
export interface TokenizerJson {
  readonly tokenizer: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * The tokenizer's files: digits stand alone, then byte-level BPE with GPT-2's splitting into words.
 *
 * @throws Error when the file's tokenizer is of another kind
 */
export function tokenizerFromGguf({ metadata, path }: Pick<GgufFile, "metadata" | "path">): TokenizerJson {
  const get = (key: string) => metadata.get(`tokenizer.ggml.${key}`);
  if (get("model") !== "gpt2" || get("pre") !== "smollm") {
    throw new Error(`${path}: tokenizer ${get("model")}/${get("pre")}; only gpt2/smollm is converted`);
  }
  const tokens = get("tokens") as readonly string[];
  const kinds = get("token_type") as readonly number[];
  const isAdded = (id: number) => kinds[id] === CONTROL || kinds[id] === USER_DEFINED;
  const token = (key: string) => tokens[get(key) as number];
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: tokens.flatMap((content, id) =>
        isAdded(id) ? [addedToken(id, content, kinds[id] === CONTROL)] : [],
      ),
      normalizer: null,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [{ type: "Digits", individual_digits: true }, byteLevel(false)],
      },
      post_processor: null,
      decoder: byteLevel(true),
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((content, id) => [content, id])),
        merges: get("merges"),
      },
    },
    config: {
      // The class that takes tokenizer.json as it is; GPT-2's own would drop the splitting of digits.
      tokenizer_class: "PreTrainedTokenizerFast",
      add_bos_token: get("add_bos_token") ?? false,
      add_prefix_space: get("add_space_prefix") ?? false,
      bos_token: token("bos_token_id"),
      eos_token: token("eos_token_id"),
      unk_token: token("unknown_token_id"),
      pad_token: token("padding_token_id"),
      clean_up_tokenization_spaces: false,
      model_max_length: metadata.get("llama.context_length"),
      chat_template: metadata.get("tokenizer.chat_template"),
    },
  };
}

const byteLevel = (addPrefixSpace: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: addPrefixSpace,
  trim_offsets: true,
  use_regex: true,
});

const addedToken = (id: number, content: string, special: boolean) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special,
});

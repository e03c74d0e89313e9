// The tokenizer in the metadata of a GGUF file, as Hugging Face's files: byte-level BPE ("gpt2") and SentencePiece's BPE
// ("llama"). Reads no file.
import { ModelError } from "../errors.ts";
import type { TokenizerFiles } from "../tokenizer.ts";
import type { GgufFile } from "../weights/gguf.ts";
import type { GgufValue } from "../weights/gguf-header.ts";
import { BYTE_PRE_TOKENIZERS, type BytePreTokenizer } from "./gguf-pre-tokenizers.ts";
import { type Piece, SENTENCEPIECE_DEFAULTS } from "./sentencepiece-model.ts";
import { sentencePieceFiles } from "./sentencepiece-tokenizer.ts";
import { TOKEN_KIND } from "./token-kinds.ts";
import { addedToken, beginWith, byteLevel, bytePairModel, isolate, tokenizerJson } from "./tokenizer-json.ts";

/** What of a GGUF file the tokenizer is read from. */
type GgufMetadata = Pick<GgufFile, "metadata" | "path">;

/**
 * The files of the tokenizer in a GGUF file, for `createTokenizer`; `tokenizer` and `config` may be written as
 * `tokenizer.json` and `tokenizer_config.json`.
 *
 * @throws ModelError `MODEL_TOKENIZER_INVALID` when there is none or it contradicts itself, `MODEL_UNSUPPORTED` when it
 * is of another kind
 */
export function tokenizerFilesFromGguf(file: GgufMetadata): TokenizerFiles {
  const vocabulary = new GgufVocabulary(file);
  if (vocabulary.model === "gpt2") return byteLevelFiles(vocabulary);
  if (vocabulary.model === "llama") return scoredFiles(vocabulary);
  throw vocabulary.unsupported(`a tokenizer of kind "${String(vocabulary.model).slice(0, 60)}"`);
}

/** The metadata under `tokenizer.ggml`, checked. */
class GgufVocabulary {
  readonly model: unknown;
  readonly tokens: readonly string[];
  readonly #file: GgufMetadata;

  constructor(file: GgufMetadata) {
    this.#file = file;
    this.model = this.get("model");
    const tokens = this.get("tokens");
    if (
      !Array.isArray(tokens) ||
      tokens.length === 0 ||
      !tokens.every((token) => typeof token === "string")
    ) {
      throw this.invalid("tokens must be a list of strings");
    }
    this.tokens = tokens;
  }

  get(key: string): GgufValue | undefined {
    return this.#file.metadata.get(`tokenizer.ggml.${key}`);
  }

  /** A list of numbers, one per token, or undefined where there is none. */
  perToken(key: string): readonly number[] | undefined {
    const values = this.get(key);
    if (values === undefined) return undefined;
    const { length } = this.tokens;
    if (!Array.isArray(values) || values.length !== length || typeof values[0] !== "number") {
      throw this.invalid(`${key} must be a list of ${length} numbers, one per token`);
    }
    return values as number[];
  }

  /** The spelling of the token that the metadata name under `key`. */
  named(key: string): string | undefined {
    const id = this.get(`${key}_token_id`);
    return typeof id === "number" ? this.tokens[id] : undefined;
  }

  isTrue(key: string, otherwise: boolean): boolean {
    const value = this.get(key);
    return typeof value === "boolean" ? value : otherwise;
  }

  /** What `tokenizer_config.json` would say. */
  config(addsBos: boolean): Record<string, unknown> {
    return {
      // The class that takes tokenizer.json as it is; others rebuild what they know.
      tokenizer_class: "PreTrainedTokenizerFast",
      add_bos_token: addsBos,
      add_prefix_space: this.isTrue("add_space_prefix", false),
      bos_token: this.named("bos"),
      eos_token: this.named("eos"),
      unk_token: this.named("unknown"),
      pad_token: this.named("padding"),
      clean_up_tokenization_spaces: false,
      model_max_length: this.#file.metadata.get("llama.context_length"),
      chat_template: this.#file.metadata.get("tokenizer.chat_template"),
    };
  }

  /** Tokens that end a turn or a message besides the end of sequence. */
  endTokenIds(): number[] {
    const ids = ["eot", "eom"].map((key) => this.get(`${key}_token_id`));
    return ids.filter((id) => typeof id === "number");
  }

  invalid(what: string): ModelError {
    const { path } = this.#file;
    return new ModelError("MODEL_TOKENIZER_INVALID", `${path}: metadata tokenizer.ggml.${what}`, {
      details: { path },
    });
  }

  unsupported(what: string): ModelError {
    const { path } = this.#file;
    return new ModelError(
      "MODEL_UNSUPPORTED",
      `${path}: ${what} is not read; put the model's tokenizer.json beside the file and give the folder`,
      { details: { path } },
    );
  }
}

function byteLevelFiles(vocabulary: GgufVocabulary): TokenizerFiles {
  const { tokens } = vocabulary;
  const preTokenizer = preTokenizerOf(vocabulary);
  const merges = vocabulary.get("merges");
  if (!Array.isArray(merges)) throw vocabulary.invalid("merges must be a list");
  const kinds = vocabulary.perToken("token_type") ?? [];
  const config = vocabulary.config(vocabulary.isTrue("add_bos_token", preTokenizer.addsBos));
  return {
    tokenizer: tokenizerJson({
      added_tokens: tokens.flatMap((content, id) => {
        const isControl = kinds[id] === TOKEN_KIND.control;
        return isControl || kinds[id] === TOKEN_KIND.userDefined ? [addedToken(id, content, isControl)] : [];
      }),
      normalizer: null,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [...preTokenizer.patterns.map(isolate), byteLevel(preTokenizer.splitsWords)],
      },
      post_processor: postProcessor(config, tokens),
      decoder: byteLevel(true, true),
      model: bytePairModel({
        vocab: Object.fromEntries(tokens.map((content, id) => [content, id])),
        merges,
        ignore_merges: preTokenizer.ignoresMerges,
      }),
    }),
    config,
    endTokenIds: vocabulary.endTokenIds(),
  };
}

function preTokenizerOf(vocabulary: GgufVocabulary): BytePreTokenizer {
  const name = vocabulary.get("pre");
  const found = BYTE_PRE_TOKENIZERS.get(String(name));
  if (found !== undefined) return found;
  throw vocabulary.unsupported(
    name === undefined
      ? "a byte-level tokenizer that does not say how it cuts words (no tokenizer.ggml.pre)"
      : `the pre-tokenizer "${String(name).slice(0, 60)}"`,
  );
}

function postProcessor(config: Readonly<Record<string, unknown>>, tokens: readonly string[]): unknown {
  const { bos_token: bos } = config;
  return config.add_bos_token === true && typeof bos === "string"
    ? beginWith(tokens.indexOf(bos), bos)
    : null;
}

/** The special tokens of LLaMA, where a file does not name them. */
const USUAL_IDS = { unkId: 0, bosId: 1, eosId: 2 } as const;

function scoredFiles(vocabulary: GgufVocabulary): TokenizerFiles {
  const { tokens } = vocabulary;
  const scores = vocabulary.perToken("scores");
  if (scores === undefined) throw vocabulary.invalid("scores is missing");
  const kinds = vocabulary.perToken("token_type") ?? tokens.map(usualKind);
  const idOf = (key: string, usual: number) =>
    (vocabulary.get(`${key}_token_id`) as number | undefined) ?? usual;
  const pieces = tokens.map((text, id): Piece => ({ text, score: scores[id]!, kind: kinds[id]! }));
  const addsBos = vocabulary.isTrue("add_bos_token", true);
  const addsPrefix = vocabulary.isTrue("add_space_prefix", true);
  const files = sentencePieceFiles(
    {
      ...SENTENCEPIECE_DEFAULTS,
      algorithm: "bpe",
      pieces,
      byteFallback: kinds.includes(TOKEN_KIND.byte),
      unkId: idOf("unknown", USUAL_IDS.unkId),
      bosId: idOf("bos", USUAL_IDS.bosId),
      eosId: idOf("eos", USUAL_IDS.eosId),
      addsPrefix,
      removesExtraSpaces: vocabulary.isTrue("remove_extra_whitespaces", false),
    },
    { userDefinedAreAdded: true, addsBos },
  );
  const config = Object.entries({ ...vocabulary.config(addsBos), add_prefix_space: addsPrefix });
  const known = Object.fromEntries(config.filter(([, value]) => value !== undefined));
  return { ...files, config: { ...files.config, ...known }, endTokenIds: vocabulary.endTokenIds() };
}

/** The kind of a token of LLaMA's vocabulary, for files that do not say. */
function usualKind(text: string, id: number): number {
  if (id === USUAL_IDS.unkId) return TOKEN_KIND.unknown;
  if (id === USUAL_IDS.bosId || id === USUAL_IDS.eosId) return TOKEN_KIND.control;
  return /^<0x[0-9A-F]{2}>$/.test(text) ? TOKEN_KIND.byte : TOKEN_KIND.normal;
}

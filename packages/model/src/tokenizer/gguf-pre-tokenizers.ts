// How byte-level vocabularies cut a text into words before pairs are merged, by the names that GGUF files give to it.
// Patterns are those of the tokenizers that the names stand for; the text of a token is not known here.

/** How a named kind of byte-level BPE prepares a text. */
export interface BytePreTokenizer {
  /** Patterns applied one after another; each cuts out its matches. */
  readonly patterns: readonly string[];
  /** Afterwards words are cut as GPT-2 cuts them. */
  readonly splitsWords: boolean;
  /** A word that is in the vocabulary is its token, whatever the merges say. */
  readonly ignoresMerges: boolean;
  /** Texts begin with the beginning of sequence where the file does not say. */
  readonly addsBos: boolean;
}

const PLAIN = { patterns: [], splitsWords: false, ignoresMerges: false, addsBos: false } as const;

const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const UPPER = "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}";
const LOWER = "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}";
const HAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";

/** Words with the character before them, numbers of up to so many digits, punctuation with the line ends after it. */
const wordsAndNumbers = (digits: string) =>
  `${CONTRACTION}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;

/** The same with words cut where small letters are followed by a capital. */
const casedWords = (digits: string, suffix: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?[${UPPER}]*[${LOWER}]+${suffix}|[^\\r\\n\\p{L}\\p{N}]?[${UPPER}]+[${LOWER}]*${suffix}` +
  `|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`;

const GPT_2: BytePreTokenizer = { ...PLAIN, splitsWords: true };
const DIGITS_ALONE: BytePreTokenizer = { ...GPT_2, patterns: ["\\p{N}"] };
const SMAUG: BytePreTokenizer = { ...PLAIN, patterns: [wordsAndNumbers("{1,3}")] };
const LLAMA_3: BytePreTokenizer = { ...SMAUG, ignoresMerges: true, addsBos: true };
const QWEN_2: BytePreTokenizer = { ...PLAIN, patterns: [wordsAndNumbers("")] };
const GPT_4O: BytePreTokenizer = { ...PLAIN, patterns: [casedWords("{1,3}", `${CONTRACTION}?`)] };

/** The kinds by their names under `tokenizer.ggml.pre`. */
export const BYTE_PRE_TOKENIZERS: ReadonlyMap<string, BytePreTokenizer> = new Map([
  ["gpt-2", GPT_2],
  ["jais", GPT_2],
  ["mpt", GPT_2],
  ["olmo", GPT_2],
  ["phi-2", GPT_2],
  ["codeshell", DIGITS_ALONE],
  ["command-r", DIGITS_ALONE],
  ["exaone", DIGITS_ALONE],
  ["minerva-7b", DIGITS_ALONE],
  ["refact", DIGITS_ALONE],
  ["smollm", DIGITS_ALONE],
  ["starcoder", DIGITS_ALONE],
  ["falcon3", LLAMA_3],
  ["llama-bpe", LLAMA_3],
  ["llama-v3", LLAMA_3],
  ["llama3", LLAMA_3],
  ["dbrx", SMAUG],
  ["smaug-bpe", SMAUG],
  ["deepseek-r1-qwen", QWEN_2],
  ["qwen2", QWEN_2],
  ["stablelm2", QWEN_2],
  ["gpt-4o", GPT_4O],
  ["llama4", GPT_4O],
  ["tekken", { ...PLAIN, patterns: [casedWords("", "")], ignoresMerges: true, addsBos: true }],
  ["deepseek-coder", { ...PLAIN, patterns: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN, "\\p{N}"] }],
]);

// Trains a LLaMA-like tokenizer: byte-pair merges over counted words, with byte fallback, written in the tokenizer.json format.

/** The pieces and merges of a trained tokenizer; a piece's id is its place in the list. */
export interface TrainedTokenizer {
  readonly pieces: readonly string[];
  /** Pairs in the order in which they are merged. */
  readonly merges: readonly (readonly [string, string])[];
}

const SPACE = "▁";

/** A run of spaces with the letters or marks behind it; digits and newlines stand alone and never merge. */
const WORD = /▁*\p{L}+|▁*[^\p{L}\p{N}\s▁]+|▁+/gu;

function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of (SPACE + text.replaceAll(" ", SPACE)).matchAll(WORD)) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

interface CountedWord {
  pieces: string[];
  readonly count: number;
}

const pairKey = (left: string, right: string): string => `${left} ${right}`;

/** The most frequent pair of neighbours; of equally frequent ones the first in text order. */
function mostFrequentPair(words: readonly CountedWord[]): [string, string] | undefined {
  const counts = new Map<string, number>();
  for (const { pieces, count } of words) {
    for (let index = 1; index < pieces.length; index++) {
      const key = pairKey(pieces[index - 1]!, pieces[index]!);
      counts.set(key, (counts.get(key) ?? 0) + count);
    }
  }
  let best: string | undefined;
  for (const [key, count] of counts) {
    const bestCount = best === undefined ? 0 : counts.get(best)!;
    if (count > bestCount || (count === bestCount && key < best!)) best = key;
  }
  return best?.split(" ") as [string, string] | undefined;
}

function mergePair(pieces: readonly string[], left: string, right: string): string[] {
  const result: string[] = [];
  for (let index = 0; index < pieces.length; index++) {
    if (pieces[index] === left && pieces[index + 1] === right) {
      result.push(left + right);
      index++;
    } else {
      result.push(pieces[index]!);
    }
  }
  return result;
}

const hexByte = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
const RESERVED = ["<unk>", "<s>", "</s>", ...Array.from({ length: 256 }, (_, byte) => hexByte(byte))];

/**
 * Learns merges from texts until the vocabulary has the wanted size or every word is one piece.
 *
 * @param options.minCount pairs seen less often are not merged
 */
export function trainTokenizer(
  texts: Iterable<string>,
  options: { readonly vocabSize: number; readonly minCount?: number },
): TrainedTokenizer {
  const sample = [...texts];
  const words = [...countWords(sample)]
    .filter(([, count]) => count >= (options.minCount ?? 1))
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([word, count]): CountedWord => ({ pieces: [...word], count }));
  const digits = [..."0123456789"];
  const alphabet = [...new Set([SPACE, ...digits, ...words.flatMap((word) => word.pieces)])].sort();
  const pieces = [...RESERVED, ...alphabet];
  const merges: [string, string][] = [];
  while (pieces.length < options.vocabSize) {
    const pair = mostFrequentPair(words);
    if (pair === undefined) break;
    const [left, right] = pair;
    merges.push(pair);
    if (!pieces.includes(left + right)) pieces.push(left + right);
    for (const word of words) {
      if (word.pieces.includes(left)) word.pieces = mergePair(word.pieces, left, right);
    }
  }
  return { pieces, merges };
}

const specialToken = (id: number, content: string): object => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** The contents of `tokenizer.json`: LLaMA's normaliser, post-processor and decoder around the trained model. */
export function formatTokenizerJson({ pieces, merges }: TrainedTokenizer): string {
  const contents = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: RESERVED.slice(0, 3).map((content, id) => specialToken(id, content)),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: SPACE },
        { type: "Replace", pattern: { String: " " }, content: SPACE },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        { SpecialToken: { id: "<s>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "<s>", type_id: 1 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
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
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
  return `${JSON.stringify(contents, null, 1)}\n`;
}

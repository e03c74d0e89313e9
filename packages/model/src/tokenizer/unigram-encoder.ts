// Unigram encoding of one normalised piece of text: the likeliest way to cut it into tokens. Knows no special tokens.
import { ModelError } from "../errors.ts";

/** The `model` of a `tokenizer.json` of type Unigram. */
export interface UnigramModel {
  /** Tokens with their logarithmic probabilities; the place is the id. */
  readonly vocab: readonly (readonly [token: string, score: number])[];
  readonly unk_id?: number | null;
  readonly byte_fallback?: boolean;
}

/** How much worse an unknown character is than the worst token; SentencePiece's constant. */
const UNKNOWN_PENALTY = 10;

/** Pieces kept with their ids; a full cache starts again. */
const CACHED_PIECES = 1 << 16;
const CACHED_PIECE_LENGTH = 32;

/**
 * An encoder for `model`: of all ways to write the text as tokens, the one with the greatest sum of scores; of equals the
 * one whose last token is longest. A character of no token becomes the tokens of its bytes, or with its unknown
 * neighbours one unknown token.
 *
 * @param round what sums are rounded by: `Math.fround` as SentencePiece computes, nothing as Hugging Face's `tokenizers`; it
 * decides between equals
 * @throws ModelError `MODEL_TOKENIZER_INVALID` when there is no unknown token, or tokens of bytes are wanted and missing
 * @see Kudo 2018, section 3.1
 */
export function createUnigramEncoder(
  model: UnigramModel,
  round: (sum: number) => number = (sum) => sum,
): (text: string) => number[] {
  const tokens = searchedTokens(model);
  const spell = createSpeller(model);
  const encode = (piece: string) => spell(bestCut(piece, tokens, round), piece);
  const cache = new Map<string, readonly number[]>();
  return (piece) => {
    if (piece.length > CACHED_PIECE_LENGTH) return encode(piece);
    let ids = cache.get(piece);
    if (ids === undefined) {
      ids = encode(piece);
      if (cache.size >= CACHED_PIECES) cache.clear();
      cache.set(piece, ids);
    }
    return [...ids];
  };
}

interface SearchedTokens {
  /** Tokens, and what tokens begin with, which has the id −1 where it is no token itself. */
  readonly idOf: ReadonlyMap<string, number>;
  readonly scores: Float64Array;
  readonly unknownScore: number;
}

function searchedTokens(model: UnigramModel): SearchedTokens {
  const idOf = new Map<string, number>();
  let lowest = 0;
  for (const [id, [token, score]] of model.vocab.entries()) {
    if (token === "" || (model.byte_fallback && byteOf(token) !== undefined)) continue;
    for (let length = 1; length < token.length; length++) {
      const beginning = token.slice(0, length);
      if (!idOf.has(beginning)) idOf.set(beginning, -1);
    }
    idOf.set(token, id);
    lowest = Math.min(lowest, score);
  }
  const scores = Float64Array.from(model.vocab, ([, score]) => score);
  return { idOf, scores, unknownScore: lowest - UNKNOWN_PENALTY };
}

/** A stretch of text and its token; −1 for an unknown character. */
interface Cut {
  readonly start: number;
  readonly end: number;
  readonly id: number;
}

/** The best way to cut `text`, by the best way to reach each of its positions. */
function bestCut(
  text: string,
  { idOf, scores, unknownScore }: SearchedTokens,
  round: (sum: number) => number,
): Cut[] {
  const best = new Float64Array(text.length + 1).fill(-Infinity);
  const start = new Int32Array(text.length + 1);
  const token = new Int32Array(text.length + 1);
  best[0] = 0;
  const offer = (from: number, to: number, id: number, score: number): void => {
    const total = round(best[from]! + score);
    if (total <= best[to]!) return;
    best[to] = total;
    start[to] = from;
    token[to] = id;
  };
  let width: number;
  for (let from = 0; from < text.length; from += width) {
    width = text.codePointAt(from)! > 0xffff ? 2 : 1;
    let isKnown = false;
    for (let to = from + 1; to <= text.length; to++) {
      const id = idOf.get(text.slice(from, to));
      if (id === undefined) break;
      if (id < 0) continue;
      offer(from, to, id, scores[id]!);
      isKnown ||= to === from + width;
    }
    if (!isKnown) offer(from, from + width, -1, unknownScore);
  }
  const cuts: Cut[] = [];
  for (let end = text.length; end > 0; end = start[end]!)
    cuts.push({ start: start[end]!, end, id: token[end]! });
  return cuts.reverse();
}

/** Turns cuts into ids: unknown characters into bytes or the unknown token. */
function createSpeller(model: UnigramModel): (cuts: readonly Cut[], text: string) => number[] {
  const { unk_id: unknown, byte_fallback: byteFallback = false } = model;
  const bytes = byteFallback ? byteTokens(model) : undefined;
  if (typeof unknown !== "number" || !(unknown in model.vocab)) {
    throw new ModelError("MODEL_TOKENIZER_INVALID", "tokenizer.json: model.unk_id must be the id of a token");
  }
  const utf8 = new TextEncoder();
  return (cuts, text) => {
    const ids: number[] = [];
    let afterUnknown = false;
    for (const { start, end, id } of cuts) {
      if (id >= 0) ids.push(id);
      else if (bytes) for (const byte of utf8.encode(text.slice(start, end))) ids.push(bytes[byte]!);
      else if (!afterUnknown) ids.push(unknown);
      afterUnknown = id < 0;
    }
    return ids;
  };
}

function byteTokens(model: UnigramModel): readonly number[] {
  const ids: number[] = [];
  for (const [id, [token]] of model.vocab.entries()) {
    const byte = byteOf(token);
    if (byte !== undefined) ids[byte] = id;
  }
  if (Object.keys(ids).length === 256) return ids;
  throw new ModelError(
    "MODEL_TOKENIZER_INVALID",
    "tokenizer.json: byte_fallback is set, but the vocabulary has no token for each byte",
  );
}

/** The byte that a token such as `<0x0A>` stands for. */
function byteOf(token: string): number | undefined {
  const [, hex] = /^<0x([0-9A-F]{2})>$/.exec(token) ?? [];
  return hex === undefined ? undefined : Number.parseInt(hex, 16);
}

// Byte-pair encoding of one normalised piece of text into token ids. Knows no special tokens and no normalisation.
import { ModelError } from "../errors.ts";

/** The `model` of a `tokenizer.json` of type BPE. */
export interface BytePairModel {
  readonly vocab: Readonly<Record<string, number>>;
  /** Pairs in falling priority, `"a b"` or `["a", "b"]`. */
  readonly merges: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly byte_fallback?: boolean;
  readonly fuse_unk?: boolean;
  readonly ignore_merges?: boolean;
}

/** Text to token ids. */
export type BytePairEncoder = (text: string) => number[];

/** SentencePiece's mark for a space. */
const SPACE_MARK = "▁";

/** Pieces kept with their ids; a full cache starts again. */
const CACHED_PIECES = 1 << 16;
const CACHED_PIECE_LENGTH = 32;

/**
 * An encoder for `model`: characters are joined pair by pair, the earliest merge first and the leftmost of equals.
 *
 * A vocabulary in which no merge ends one word and begins the next (LLaMA's) is encoded word by word with a cache, which
 * gives the same ids.
 *
 * @param mergeRanks rank of each merge; those of one rank go from left to right. Default: its place in the list
 * @throws ModelError `MODEL_TOKENIZER_INVALID` when a merge makes a token that the vocabulary lacks
 */
export function createBytePairEncoder(model: BytePairModel, mergeRanks?: readonly number[]): BytePairEncoder {
  const vocab = new Map(Object.entries(model.vocab));
  const merges = readMerges(model, vocab, mergeRanks);
  const initial = createCharacterLookup(model, vocab);
  const encodeWhole = (piece: string): number[] => {
    const known = model.ignore_merges ? vocab.get(piece) : undefined;
    return known === undefined ? mergeAll(initial(piece), merges) : [known];
  };
  const cache = new Map<string, number[]>();
  const encodePiece = (piece: string): number[] => {
    if (piece.length > CACHED_PIECE_LENGTH) return encodeWhole(piece);
    let ids = cache.get(piece);
    if (ids === undefined) {
      ids = encodeWhole(piece);
      if (cache.size >= CACHED_PIECES) cache.clear();
      cache.set(piece, ids);
    }
    return ids;
  };
  if (!isSplittable(model, vocab)) return (text) => [...encodePiece(text)];
  return (text) => {
    const ids: number[] = [];
    for (const piece of text.match(/▁*[^▁]+|▁+/g) ?? []) {
      for (const id of encodePiece(piece)) ids.push(id);
    }
    return ids;
  };
}

/** The merges by the ids of their pair. */
interface Merges {
  /** `left · stride + right` to the place in the list. */
  readonly indexOfPair: ReadonlyMap<number, number>;
  /** By place: the id of the joined token. */
  readonly joined: Int32Array;
  /** By place: the rank; a lower rank goes first. */
  readonly ranks: Int32Array;
  readonly stride: number;
}

function readMerges(
  model: BytePairModel,
  vocab: ReadonlyMap<string, number>,
  mergeRanks: readonly number[] | undefined,
): Merges {
  let stride = 0;
  for (const id of vocab.values()) stride = Math.max(stride, id + 1);
  const indexOfPair = new Map<number, number>();
  const joined = new Int32Array(model.merges.length);
  for (const [index, merge] of model.merges.entries()) {
    const [left, right] = splitMerge(merge);
    const ids = [vocab.get(left), vocab.get(right), vocab.get(left + right)];
    if (ids.includes(undefined)) {
      throw new ModelError(
        "MODEL_TOKENIZER_INVALID",
        `tokenizer.json: merge ${index} (${left} + ${right}) is not in the vocabulary`,
      );
    }
    const [leftId, rightId, joinedId] = ids as [number, number, number];
    indexOfPair.set(leftId * stride + rightId, index);
    joined[index] = joinedId;
  }
  const ranks = Int32Array.from(mergeRanks ?? joined.keys());
  return { indexOfPair, joined, ranks, stride };
}

function splitMerge(merge: string | readonly [string, string]): readonly [string, string] {
  if (typeof merge !== "string") return merge;
  const space = merge.indexOf(" ");
  return [merge.slice(0, space), merge.slice(space + 1)];
}

/** True when words can be encoded one by one: no merge crosses from another character into a space mark. */
function isSplittable(model: BytePairModel, vocab: ReadonlyMap<string, number>): boolean {
  if (model.ignore_merges || !vocab.has(SPACE_MARK)) return false;
  return model.merges.every((merge) => {
    const [left, right] = splitMerge(merge);
    return left.endsWith(SPACE_MARK) || !right.startsWith(SPACE_MARK);
  });
}

/** Text to the ids of its characters: the vocabulary's, else the UTF-8 bytes', else the unknown token's. */
function createCharacterLookup(
  model: BytePairModel,
  vocab: ReadonlyMap<string, number>,
): (text: string) => number[] {
  const unknown = model.unk_token ? vocab.get(model.unk_token) : undefined;
  const utf8 = new TextEncoder();
  const byteIds = Array.from({ length: 256 }, (_, byte) =>
    vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  );
  return (text) => {
    const ids: number[] = [];
    let afterUnknown = false;
    for (const character of text) {
      const known = vocab.get(character);
      const bytes = known === undefined && model.byte_fallback ? bytesOf(character) : undefined;
      if (known !== undefined) ids.push(known);
      else if (bytes !== undefined) ids.push(...bytes);
      else if (unknown !== undefined && !(afterUnknown && model.fuse_unk)) ids.push(unknown);
      afterUnknown = known === undefined && bytes === undefined;
    }
    return ids;
  };

  function bytesOf(character: string): number[] | undefined {
    const ids = Array.from(utf8.encode(character), (byte) => byteIds[byte]);
    return ids.includes(undefined) ? undefined : (ids as number[]);
  }
}

/** Joins pairs in `ids` until no merge applies; O(n log n) by a heap of candidate pairs. */
function mergeAll(ids: number[], { indexOfPair, joined, ranks, stride }: Merges): number[] {
  const count = ids.length;
  // A linked list over positions: a joined token stays at its left position, the right one is dead (-1).
  const next = Int32Array.from(ids, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from(ids, (_, i) => i - 1);
  const heap: number[] = [];
  const indexAt = (left: number): number | undefined => {
    const right = next[left]!;
    return right < 0 || ids[left]! < 0 ? undefined : indexOfPair.get(ids[left]! * stride + ids[right]!);
  };
  // Rank and position in one number, so that the heap orders by rank, then from left to right.
  const offer = (left: number): void => {
    const index = indexAt(left);
    if (index !== undefined) pushHeap(heap, ranks[index]! * count + left);
  };
  for (let i = 0; i + 1 < count; i++) offer(i);
  for (let top = popHeap(heap); top !== undefined; top = popHeap(heap)) {
    const left = top % count;
    const index = indexAt(left);
    // The pair may have changed since it was offered.
    if (index === undefined || ranks[index] !== (top - left) / count) continue;
    const right = next[left]!;
    ids[left] = joined[index]!;
    ids[right] = -1;
    next[left] = next[right]!;
    if (next[left]! >= 0) previous[next[left]!] = left;
    if (previous[left]! >= 0) offer(previous[left]!);
    offer(left);
  }
  return ids.filter((id) => id >= 0);
}

function pushHeap(heap: number[], value: number): void {
  let i = heap.push(value) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = value;
}

function popHeap(heap: number[]): number | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (heap.length === 0 || last === undefined) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}

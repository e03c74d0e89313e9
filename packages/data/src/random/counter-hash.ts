// Counter-based randomness: hashes of integers and names to 32 bits; holds no state.

/** An integer of at most 53 bits, or a name. */
export type HashKey = number | string;

/**
 * An unsigned 32-bit hash of a sequence of keys, by MurmurHash3's mixing of each 32-bit word and its finaliser. The same
 * keys always give the same value.
 *
 * @see Appleby, MurmurHash3 (public domain)
 */
export function counterHash(...keys: readonly HashKey[]): number {
  let hash = 0;
  let words = 0;
  for (const key of keys) {
    for (const word of wordsOf(key)) {
      hash = mixWord(hash, word);
      words++;
    }
  }
  return finalize(hash ^ (words * 4));
}

/** A number in [0, 1) with 53 random bits, a pure function of its keys. */
export function counterUniform(...keys: readonly HashKey[]): number {
  const high = counterHash(...keys, 0) >>> 5;
  const low = counterHash(...keys, 1) >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

/** MurmurHash3's 32-bit finaliser: a bijection in which every input bit reaches every output bit. */
export function finalize(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Numbers are two words, low and high; names are their length and one word per UTF-16 unit. */
function wordsOf(key: HashKey): number[] {
  if (typeof key === "number") return [key >>> 0, Math.floor(key / 2 ** 32) >>> 0];
  return [key.length, ...Array.from({ length: key.length }, (_, i) => key.charCodeAt(i))];
}

function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const mixed = hash ^ k;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

// Seeded random numbers for the nano world: a counter-based stream and the text hash that keys it. No global state.

const GOLDEN_GAMMA = 0x9e3779b9;

function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** 32-bit hash of a text: FNV-1a with the finaliser of MurmurHash3, so that every bit depends on every character. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(hash);
}

/**
 * A stream of random values that is a pure function of its key and of how many values were drawn.
 *
 * @example
 * const random = new RandomStream("documents/7");
 * random.pick(["red", "blue"]);
 */
export class RandomStream {
  readonly key: string;
  readonly #hash: number;
  #counter = 0;

  constructor(key: string) {
    this.key = key;
    this.#hash = hashText(key);
  }

  /** An independent stream named below this one; drawing from it does not advance this one. */
  fork(label: string | number): RandomStream {
    return new RandomStream(`${this.key}/${label}`);
  }

  /** The next value in [0, 1). */
  next(): number {
    this.#counter++;
    const value = mix(mix((this.#hash + Math.imul(this.#counter, GOLDEN_GAMMA)) | 0) ^ this.#hash);
    return value / 0x100000000;
  }

  /** An integer from `minimum` to `maximum`, both included. */
  integer(minimum: number, maximum: number): number {
    return minimum + Math.floor(this.next() * (maximum - minimum + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One element of a non-empty list. */
  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.next() * items.length)] as Item;
  }

  /** One key of a table of weights, drawn in proportion to its weight. */
  pickWeighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    const entries = Object.entries(weights) as [Key, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return entries[entries.length - 1]![0];
  }

  /** A new list with the same elements in random order (Fisher-Yates). */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const result = [...items];
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.integer(0, last);
      [result[last], result[other]] = [result[other] as Item, result[last] as Item];
    }
    return result;
  }

  /** `count` different elements, or all of them when there are fewer. */
  sample<Item>(items: readonly Item[], count: number): Item[] {
    return this.shuffle(items).slice(0, count);
  }
}

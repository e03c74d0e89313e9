// Python's `random` module as far as the benchmarks use it: MT19937, `shuffle` and `sample`; the same numbers, bit for bit.

const STATE_LENGTH = 624;
const MIDDLE = 397;

/**
 * The stream that Python's `random.seed(seed)` starts.
 *
 * @see Matsumoto & Nishimura 1998 (MT19937, `init_by_array`); CPython `random.py` (`_randbelow`, `shuffle`, `sample`)
 */
export class PythonRandom {
  readonly #state = new Uint32Array(STATE_LENGTH);
  #position = STATE_LENGTH;

  /** @param seed a whole number in [0, 2³²) */
  constructor(seed: number) {
    seedByArray(this.#state, seed >>> 0);
  }

  /** The next `bits` random bits as a number; `bits` is at most 32. */
  getRandomBits(bits: number): number {
    return this.#next32() >>> (32 - bits);
  }

  /** A whole number in [0, n), by redrawing until one fits. */
  below(n: number): number {
    const bits = 32 - Math.clz32(n);
    let drawn = this.getRandomBits(bits);
    while (drawn >= n) drawn = this.getRandomBits(bits);
    return drawn;
  }

  /** Shuffles `items` in place. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j] as T, items[i] as T];
    }
    return items;
  }

  /** `count` different items in the order they were drawn; `count` is at most the number of items. */
  sample<T>(items: readonly T[], count: number): T[] {
    const n = items.length;
    const indices = n <= poolLimit(count) ? this.#drawFromPool(n, count) : this.#drawDistinct(n, count);
    return indices.map((index) => items[index] as T);
  }

  #drawFromPool(n: number, count: number): number[] {
    const pool = Array.from({ length: n }, (_, index) => index);
    return Array.from({ length: count }, (_, i) => {
      const j = this.below(n - i);
      const drawn = pool[j] as number;
      pool[j] = pool[n - i - 1] as number;
      return drawn;
    });
  }

  #drawDistinct(n: number, count: number): number[] {
    const drawn = new Set<number>();
    while (drawn.size < count) drawn.add(this.below(n));
    return [...drawn];
  }

  #next32(): number {
    if (this.#position === STATE_LENGTH) {
      twist(this.#state);
      this.#position = 0;
    }
    let y = this.#state[this.#position++] as number;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
}

/** Populations up to this size are sampled from a list, larger ones by redrawing. */
function poolLimit(count: number): number {
  return count > 5 ? 21 + 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 21;
}

/** `init_by_array([seed])`. */
function seedByArray(state: Uint32Array, seed: number): void {
  state[0] = 19650218;
  for (let i = 1; i < STATE_LENGTH; i++) {
    const previous = state[i - 1] as number;
    state[i] = Math.imul(previous ^ (previous >>> 30), 1812433253) + i;
  }
  let i = 1;
  const advance = () => {
    i++;
    if (i >= STATE_LENGTH) {
      state[0] = state[STATE_LENGTH - 1] as number;
      i = 1;
    }
  };
  const mixed = (multiplier: number) => {
    const previous = state[i - 1] as number;
    return (state[i] as number) ^ Math.imul(previous ^ (previous >>> 30), multiplier);
  };
  for (let k = 0; k < STATE_LENGTH; k++) {
    state[i] = mixed(1664525) + seed;
    advance();
  }
  for (let k = 1; k < STATE_LENGTH; k++) {
    state[i] = mixed(1566083941) - i;
    advance();
  }
  state[0] = 0x80000000;
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < STATE_LENGTH; i++) {
    const next = state[(i + 1) % STATE_LENGTH] as number;
    const y = ((state[i] as number) & 0x80000000) | (next & 0x7fffffff);
    const odd = y & 1 ? 0x9908b0df : 0;
    state[i] = (state[(i + MIDDLE) % STATE_LENGTH] as number) ^ (y >>> 1) ^ odd;
  }
}

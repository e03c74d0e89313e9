// Which rows of which sources are used, and in which order; sees row numbers only, never text or tokens.
import { assertCount } from "./assert-count.ts";
import { DataError } from "./errors.ts";
import { counterUniform } from "./random/counter-hash.ts";
import { feistelPermutation } from "./random/feistel-permutation.ts";

/** One source of a mixture. */
export interface MixtureSource {
  /** Unique in the mixture; the choice of rows depends on it, not on the source's place in the list. */
  readonly name: string;
  /** Rows there are. */
  readonly length: number;
  /** Rows used at most, chosen by the seed. Default all. */
  readonly cap?: number;
  /** Share of a weighted mixture, of any scale. Default the number of rows used. */
  readonly weight?: number;
}

/** One row of a mixture. */
export interface MixtureItem {
  readonly source: string;
  /** 0-based row of that source. */
  readonly index: number;
}

/** What a mixture is made of. */
export interface MixtureOptions {
  readonly sources: readonly MixtureSource[];
  readonly seed: number;
}

/** Every used row of every source once, shuffled together. */
export interface CappedMixture {
  readonly length: number;
  /** Rows used of each source. */
  readonly counts: Readonly<Record<string, number>>;
  /** The row at a position: a pure function of the sources and the seed. @throws DataError `DATA_INDEX_OUT_OF_RANGE` */
  at(position: number): MixtureItem;
  /**
   * Whether a row of a source is used, for filtering the source as it streams by; false for other sources.
   *
   * @throws DataError `DATA_INDEX_OUT_OF_RANGE`
   */
  includes(item: MixtureItem): boolean;
}

/**
 * A finite mixture: of each source the rows that its cap leaves, all in one random order, in memory proportional to
 * the number of sources.
 *
 * @throws DataError `DATA_OPTION_INVALID`
 */
export function cappedMixture({ sources, seed }: MixtureOptions): CappedMixture {
  const pools = poolsOf(sources, seed);
  const ends = cumulative(pools.map(({ size }) => size));
  const length = ends.at(-1) ?? 0;
  const order = feistelPermutation(length, "mixture", seed);
  return {
    length,
    counts: Object.fromEntries(pools.map(({ name, size }) => [name, size])),
    at(position) {
      const place = order.at(position);
      const chosen = ends.findIndex((end) => place < end);
      const { name, rows, size } = pools[chosen]!;
      return { source: name, index: rows.at(place - (ends[chosen]! - size)) };
    },
    includes({ source, index }) {
      const pool = pools.find(({ name }) => name === source);
      return pool !== undefined && pool.rows.positionOf(index) < pool.size;
    },
  };
}

/** A place in a weighted mixture; plain JSON. */
export interface WeightedMixtureState {
  readonly seed: number;
  /** Rows drawn of each source. */
  readonly drawn: Readonly<Record<string, number>>;
}

/**
 * An endless mixture: each draw chooses a source by weight, and the source's next row; a source that is used up begins
 * again in another order. The same sources and seed give the same draws.
 */
export class WeightedMixture implements Iterable<MixtureItem> {
  readonly #seed: number;
  readonly #pools: readonly Pool[];
  readonly #weightEnds: readonly number[];
  #drawn: number[];

  /** @throws DataError `DATA_OPTION_INVALID` */
  constructor({ sources, seed }: MixtureOptions) {
    const pools = poolsOf(sources, seed).filter(({ weight }) => weight > 0);
    if (pools.length === 0)
      throw invalid("a weighted mixture needs a source with rows and a weight above zero");
    const empty = pools.find(({ size }) => size === 0);
    if (empty) throw invalid(`source ${empty.name} has a weight but no rows`);
    this.#seed = seed;
    this.#pools = pools;
    this.#weightEnds = cumulative(pools.map(({ weight }) => weight));
    this.#drawn = pools.map(() => 0);
  }

  /** Draws the next row. */
  next(): MixtureItem {
    const position = this.#drawn.reduce((sum, count) => sum + count, 0);
    const point = counterUniform("draw", this.#seed, position) * this.#weightEnds.at(-1)!;
    const chosen = this.#weightEnds.findIndex((end) => point < end);
    const pool = this.#pools[chosen]!;
    const nth = this.#drawn[chosen]!++;
    const round = feistelPermutation(pool.size, "round", this.#seed, pool.name, Math.floor(nth / pool.size));
    return { source: pool.name, index: pool.rows.at(round.at(nth % pool.size)) };
  }

  /** Draws without end. */
  *[Symbol.iterator](): Generator<MixtureItem, never, undefined> {
    for (;;) yield this.next();
  }

  /** The place after the last draw. */
  state(): WeightedMixtureState {
    const drawn = Object.fromEntries(this.#pools.map(({ name }, i) => [name, this.#drawn[i]!]));
    return { seed: this.#seed, drawn };
  }

  /**
   * Goes to a place.
   *
   * @throws DataError `DATA_STATE_MISMATCH` when the state is of a mixture with another seed or other sources
   */
  restore({ seed, drawn }: WeightedMixtureState): void {
    const names = this.#pools.map(({ name }) => name);
    const isSame = seed === this.#seed && names.every((name) => Number.isInteger(drawn[name]));
    if (!isSame || Object.keys(drawn).length !== names.length) {
      const message = `the mixture's state is of seed ${seed} and other sources; expected seed ${this.#seed} and ${names.join(", ")}`;
      throw new DataError("DATA_STATE_MISMATCH", message);
    }
    this.#drawn = names.map((name) => drawn[name]!);
  }
}

/** The rows of one source that are used: the first `size` of its permutation. */
interface Pool {
  readonly name: string;
  readonly size: number;
  readonly weight: number;
  readonly rows: { at(position: number): number; positionOf(row: number): number };
}

function poolsOf(sources: readonly MixtureSource[], seed: number): Pool[] {
  if (new Set(sources.map(({ name }) => name)).size !== sources.length)
    throw invalid("two sources have one name");
  return sources.map(({ name, length, cap = length, weight }) => {
    assertCount(length, `length of source ${name}`, 0);
    assertCount(cap, `cap of source ${name}`, 0);
    const size = Math.min(cap, length);
    const share = weight ?? size;
    if (!(share >= 0 && share < Number.POSITIVE_INFINITY))
      throw invalid(`weight of source ${name} is ${weight}`);
    return { name, size, weight: share, rows: feistelPermutation(length, "pool", seed, name) };
  });
}

/** Partial sums: where each of consecutive stretches ends. */
function cumulative(sizes: readonly number[]): number[] {
  const ends: number[] = [];
  for (const size of sizes) ends.push((ends.at(-1) ?? 0) + size);
  return ends;
}

function invalid(what: string): DataError {
  return new DataError("DATA_OPTION_INVALID", `mixture: ${what}`);
}

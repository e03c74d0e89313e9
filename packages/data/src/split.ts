// The split of rows into training and evaluation parts; knows only how many rows there are.
import { DataError } from "./errors.ts";
import { numpyPermutation } from "./random/numpy-permutation.ts";

/** Row numbers of the two parts, each in permutation order. */
export interface Split {
  readonly train: Uint32Array;
  readonly evaluation: Uint32Array;
}

/** How rows are split; the defaults are the paper's. */
export interface SplitOptions {
  /** Share of the rows that train, 0 to 1. Default 0.995. */
  readonly trainFraction?: number;
  /** Seed of the permutation, an unsigned 32-bit integer. Default 0. */
  readonly seed?: number;
}

/**
 * The training and evaluation rows: NumPy's legacy permutation of all rows, cut at `floor(trainFraction · length)`.
 *
 * @throws DataError `DATA_OPTION_INVALID`
 * @see flacuna `fastchat/train/train.py`: `np.random.seed(0)`, `int(0.995 * N)`
 */
export function splitRows(length: number, { trainFraction = 0.995, seed = 0 }: SplitOptions = {}): Split {
  if (!(trainFraction >= 0 && trainFraction <= 1)) {
    throw new DataError(
      "DATA_OPTION_INVALID",
      `splitRows: trainFraction must be from 0 to 1, got ${trainFraction}`,
    );
  }
  const permutation = numpyPermutation(length, seed);
  const cut = Math.floor(trainFraction * length);
  return { train: permutation.subarray(0, cut), evaluation: permutation.subarray(cut) };
}

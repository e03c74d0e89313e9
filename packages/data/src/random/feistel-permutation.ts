// A keyed permutation of 0 … length−1 that is computed index by index, in O(1) memory.
import { DataError } from "../errors.ts";
import { counterHash, finalize, type HashKey } from "./counter-hash.ts";

/** A bijection of 0 … length−1. */
export interface Permutation {
  readonly length: number;
  /** The element at a position. */
  at(position: number): number;
  /** The position of an element; undoes `at`. */
  positionOf(element: number): number;
}

const ROUNDS = 8;

/**
 * A pseudo-random permutation chosen by its keys: a balanced Feistel network over the next even number of bits, walked
 * until the value falls inside the length (fewer than four steps on average).
 *
 * @param length 0 to 2³²
 * @param keys integers and names; the same keys and length give the same permutation
 * @throws DataError `DATA_OPTION_INVALID` for a bad length, `DATA_INDEX_OUT_OF_RANGE` from `at` and `positionOf`
 * @see Black & Rogaway 2002, "Ciphers with Arbitrary Finite Domains", section 4 (cycle walking)
 */
export function feistelPermutation(length: number, ...keys: readonly HashKey[]): Permutation {
  if (!Number.isInteger(length) || length < 0 || length > 2 ** 32) {
    throw new DataError(
      "DATA_OPTION_INVALID",
      `feistelPermutation: length must be an integer from 0 to 2^32, got ${length}`,
    );
  }
  const halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, length)) / 2));
  const halfSize = 2 ** halfBits;
  const roundKeys = Array.from({ length: ROUNDS }, (_, round) => counterHash(...keys, length, round));
  const backwardKeys = roundKeys.toReversed();

  const scramble = (half: number, key: number): number => finalize(half ^ key) % halfSize;

  const encrypt = (value: number): number => {
    let left = Math.floor(value / halfSize);
    let right = value % halfSize;
    for (const key of roundKeys) [left, right] = [right, left ^ scramble(right, key)];
    return left * halfSize + right;
  };

  const decrypt = (value: number): number => {
    let left = Math.floor(value / halfSize);
    let right = value % halfSize;
    for (const key of backwardKeys) [left, right] = [right ^ scramble(left, key), left];
    return left * halfSize + right;
  };

  const walk = (step: (value: number) => number, start: number): number => {
    if (!Number.isInteger(start) || start < 0 || start >= length) {
      throw new DataError("DATA_INDEX_OUT_OF_RANGE", `permutation of ${length}: no index ${start}`, {
        index: start,
      });
    }
    let value = step(start);
    while (value >= length) value = step(value);
    return value;
  };

  return {
    length,
    at: (position) => walk(encrypt, position),
    positionOf: (element) => walk(decrypt, element),
  };
}

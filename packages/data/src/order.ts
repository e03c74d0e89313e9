// In which order samples are trained on: a pure function of seed, epoch and rank, in O(1) memory.
import { assertCount } from "./assert-count.ts";
import { DataError } from "./errors.ts";
import { feistelPermutation } from "./random/feistel-permutation.ts";

/** Which part of which epoch. */
export interface SampleOrderOptions {
  /** Number of samples. */
  readonly length: number;
  readonly seed: number;
  /** 0-based. */
  readonly epoch: number;
  /** 0 … worldSize − 1. Default 0. */
  readonly rank?: number;
  /** Number of shards. Default 1. */
  readonly worldSize?: number;
  /**
   * When the length is no multiple of `worldSize`: `"keep"` (the default) gives every sample once, to shards that may
   * differ by one; `"repeat"` gives shards of one size, the last places taken by the first samples again.
   */
  readonly remainder?: "keep" | "repeat";
  /** False for the samples as they are numbered. Default true. */
  readonly shuffle?: boolean;
}

/** The samples of one shard of one epoch. */
export interface SampleOrder {
  readonly length: number;
  /** The sample at a position. @throws DataError `DATA_INDEX_OUT_OF_RANGE` */
  at(position: number): number;
}

/**
 * The order of one shard: position p of rank r is position `p · worldSize + r` of the epoch, so that the shards
 * together are the epoch, and neighbours in the epoch are trained on at the same time.
 *
 * @throws DataError `DATA_OPTION_INVALID`
 */
export function sampleOrder(options: SampleOrderOptions): SampleOrder {
  const { length, seed, epoch, rank = 0, worldSize = 1, remainder = "keep", shuffle = true } = options;
  assertCount(length, "length", 0);
  assertCount(worldSize, "worldSize");
  if (!Number.isInteger(rank) || rank < 0 || rank >= worldSize) {
    throw new DataError("DATA_OPTION_INVALID", `rank must be from 0 to ${worldSize - 1}, got ${rank}`);
  }
  const permutation = feistelPermutation(length, "epoch", seed, epoch);
  const sampleAt = shuffle ? permutation.at : (position: number) => position;
  const longest = Math.ceil(length / worldSize);
  const shardLength = remainder === "repeat" ? longest : Math.max(0, Math.ceil((length - rank) / worldSize));
  return {
    length: shardLength,
    at(position) {
      if (Number.isInteger(position) && position >= 0 && position < shardLength) {
        return sampleAt((position * worldSize + rank) % length);
      }
      const message = `order of ${shardLength} samples: no position ${position}`;
      throw new DataError("DATA_INDEX_OUT_OF_RANGE", message, { index: position });
    },
  };
}

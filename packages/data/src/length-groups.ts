// Micro-batches of rows of like length, within windows of the order; a pure function of the order and the seed.
import { feistelPermutation } from "./random/feistel-permutation.ts";

/** What one window of the order is cut into. */
export interface LengthGroupOptions {
  /** The samples of the window, in order. */
  readonly samples: readonly number[];
  readonly tokenCount: (sample: number) => number;
  readonly batchSize: number;
  /** What the order of the batches depends on. */
  readonly keys: readonly (number | string)[];
}

/**
 * The window's samples sorted by length, cut into batches, and the batches shuffled: little padding, while lengths
 * still come in random order. Every sample is in exactly one batch; at most one batch is short.
 */
export function lengthGroups({ samples, tokenCount, batchSize, keys }: LengthGroupOptions): number[][] {
  const byLength = samples
    .map((sample) => ({ sample, count: tokenCount(sample) }))
    .sort((a, b) => b.count - a.count)
    .map(({ sample }) => sample);
  const batches = batchesOf(byLength, batchSize);
  const permutation = feistelPermutation(batches.length, ...keys);
  return batches.map((_, position) => batches[permutation.at(position)]!);
}

/** Consecutive runs of `batchSize` items, the last one perhaps shorter. */
export function batchesOf<T>(items: readonly T[], batchSize: number): T[][] {
  const count = Math.ceil(items.length / batchSize);
  return Array.from({ length: count }, (_, i) => items.slice(i * batchSize, (i + 1) * batchSize));
}

// Groups work of similar length, so that little of a padded batch is padding. Pure functions of lengths.

/** How large a batch may become. */
export interface BatchLimits {
  /** Most sequences. */
  readonly maxBatchSize: number;
  /** Most tokens, padding counted; one sequence alone may be longer. */
  readonly maxBatchTokens: number;
}

/** Indices of `lengths` in batches, the longest first: what may run out of memory does so at once. */
export function batchByLength(lengths: readonly number[], limits: BatchLimits): number[][] {
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const batches: number[][] = [];
  let current: number[] = [];
  for (const index of order) {
    const width = lengths[current[0] ?? index]!;
    const isFull =
      current.length >= limits.maxBatchSize || (current.length + 1) * width > limits.maxBatchTokens;
    if (current.length === 0 || isFull) {
      current = [];
      batches.push(current);
    }
    current.push(index);
  }
  return batches;
}

// Common beginnings of token sequences. Pure functions.

/** How many tokens two sequences have in common from the beginning. */
export function commonLength(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a[length] === b[length]) length++;
  return length;
}

/** Dictionary order of token sequences: neighbours have the longest beginnings in common. */
export function compareIds(a: readonly number[], b: readonly number[]): number {
  const common = commonLength(a, b);
  return (a[common] ?? -1) - (b[common] ?? -1);
}

/** A sequence to be run after another, from the position where it differs. */
export interface SuffixRun {
  /** Index of the sequence. */
  readonly index: number;
  /** Tokens that the sequence before it has computed already; never all of its own. */
  readonly start: number;
}

/** All sequences in the order in which they share most, each with what it can leave out. */
export function planSuffixes(sequences: readonly (readonly number[])[]): SuffixRun[] {
  const order = Array.from(sequences.keys()).sort(
    (a, b) => compareIds(sequences[a]!, sequences[b]!) || a - b,
  );
  return order.map((index, i) => {
    const previous = i === 0 ? [] : sequences[order[i - 1]!]!;
    const ids = sequences[index]!;
    return { index, start: Math.min(commonLength(previous, ids), ids.length - 1) };
  });
}

// The few statistics that the benchmarks report.

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const mean = (values: readonly number[]): number => sum(values) / values.length;

/** |a − b| / |b|, value by value. */
export const relativeDifferences = (a: readonly number[], b: readonly number[]): number[] =>
  a.map((value, index) => Math.abs(value - b[index]!) / Math.abs(b[index]!));

/** Rounded to so many significant digits, for output that people read. */
export const significant = (value: number, digits = 4): number => Number(value.toPrecision(digits));

// Standard errors: of a mean, of a mean of group means, of a mean of independent scores. All are `undefined` where the data are too few.

/** The arithmetic mean; `NaN` with no data. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * s / √n with the sample standard deviation s (n − 1 in its denominator); `undefined` for fewer than two values.
 *
 * For hits and misses this is √(p(1 − p) / (n − 1)).
 */
export function standardErrorOfMean(values: readonly number[]): number | undefined {
  const n = values.length;
  if (n < 2) return undefined;
  const center = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (n - 1) / n);
}

/**
 * The standard error of an unweighted mean of independent scores: √(Σ se²) / m.
 *
 * Also that of a stratified mean, the strata being fixed and each drawn from on its own; `undefined` when one is unknown.
 */
export function standardErrorOfAverage(standardErrors: readonly (number | undefined)[]): number | undefined {
  if (standardErrors.length === 0) return undefined;
  let sumOfSquares = 0;
  for (const error of standardErrors) {
    if (error === undefined) return undefined;
    sumOfSquares += error ** 2;
  }
  return Math.sqrt(sumOfSquares) / standardErrors.length;
}

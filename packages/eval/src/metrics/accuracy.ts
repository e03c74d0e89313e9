// Accuracy as a micro average (every answer counts the same) and as a macro average (every group counts the same).

import { mean, standardErrorOfAverage, standardErrorOfMean } from "./standard-error.ts";

/** A score in [0, 1] with what it rests on. */
export interface Estimate {
  readonly score: number;
  /** `undefined` when there are too few answers to tell. */
  readonly standardError: number | undefined;
  /** Answers, or problems for pass@k. */
  readonly n: number;
}

/** The share of hits; `score` is `NaN` with no answers. */
export function accuracy(hits: readonly boolean[]): Estimate {
  const values = hits.map(Number);
  return { score: mean(values), standardError: standardErrorOfMean(values), n: values.length };
}

/** The unweighted mean of estimates, with the standard error of a stratified mean; `n` is the sum. */
export function macroAverage(groups: readonly Estimate[]): Estimate {
  return {
    score: mean(groups.map((group) => group.score)),
    standardError: standardErrorOfAverage(groups.map((group) => group.standardError)),
    n: groups.reduce((sum, group) => sum + group.n, 0),
  };
}

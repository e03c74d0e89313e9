// pass@k: the chance that at least one of k programs passes, estimated without bias from n ≥ k programs.

import type { Estimate } from "./accuracy.ts";
import { mean, standardErrorOfMean } from "./standard-error.ts";

/** How many programs were tried for one problem and how many of them passed. */
export interface ProblemOutcome {
  readonly tried: number;
  readonly passed: number;
}

/**
 * 1 − C(n − c, k) / C(n, k) for one problem, as a product that does not overflow; 1 when n − c < k.
 *
 * @see Chen et al. 2021, equation 1
 */
export function passAtK({ tried, passed }: ProblemOutcome, k: number): number {
  if (tried - passed < k) return 1;
  let allFail = 1;
  for (let i = tried - passed + 1; i <= tried; i++) allFail *= 1 - k / i;
  return 1 - allFail;
}

/** pass@k averaged over problems; its standard error is that of a mean over problems, which are what was sampled. */
export function averagePassAtK(outcomes: readonly ProblemOutcome[], k: number): Estimate {
  const values = outcomes.map((outcome) => passAtK(outcome, k));
  return { score: mean(values), standardError: standardErrorOfMean(values), n: values.length };
}

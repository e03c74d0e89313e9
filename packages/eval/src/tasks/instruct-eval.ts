// What the five benchmarks share as the INSTRUCTEVAL harness runs them.

import { EvalError } from "../errors.ts";

/** Short name of the setup that every task here reproduces. */
export const INSTRUCT_EVAL = "INSTRUCTEVAL (arXiv 2306.04757), declare-lab/instruct-eval 49bbd2c";

/** The length limit of the few-shot tasks, in tokens with the beginning-of-sequence token. */
export const FEW_SHOT_MAX_INPUT_TOKENS = 2048;

export const GREEDY = { temperature: 0 } as const;

/** Options that the few-shot tasks share. */
export interface FewShotOptions {
  /** Exemplars per prompt; the harness's number by default. */
  readonly shots?: number;
  /** 2,048 by default. */
  readonly maxInputTokens?: number;
}

/** @throws EvalError `EVAL_OPTION_INVALID` unless `shots` is a whole number from 0 to `most` */
export function requireShots(shots: number, most = Number.POSITIVE_INFINITY): number {
  if (Number.isInteger(shots) && shots >= 0 && shots <= most) return shots;
  const expected = most === Number.POSITIVE_INFINITY ? "a whole number" : `a whole number from 0 to ${most}`;
  throw new EvalError("EVAL_OPTION_INVALID", "shots", { expected, got: String(shots) });
}

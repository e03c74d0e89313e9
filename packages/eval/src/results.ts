// The result of an evaluation as it is kept: its schema, and reading it back. How it is computed is in `evaluate.ts`.

import { EvalError, quote } from "./errors.ts";
import type { Estimate } from "./metrics/accuracy.ts";
import type { Estimator, GroupEstimate, Sampling } from "./task.ts";

/** Moves whenever the meaning or place of a field changes. */
export const RESULT_SCHEMA = "flacuna.eval.result/1";

/** One prediction with everything needed to see why it counted as it did. */
export interface SampleRecord {
  readonly documentId: string;
  readonly group: string;
  /** 0 unless the task draws several predictions per document. */
  readonly sampleIndex: number;
  /** SHA-256 of the prompt. */
  readonly promptHash: string;
  /** Exemplars that fitted. */
  readonly shots: number;
  readonly isOverlong: boolean;
  /** The model's text as it came. */
  readonly prediction: string;
  /** What was judged, after clean-up. */
  readonly answer: string;
  readonly gold: string;
  readonly isCorrect: boolean;
  readonly note?: string;
}

/** The score of one task and all that it depends on. */
export interface TaskResult extends Estimate {
  readonly task: string;
  readonly taskVersion: number;
  readonly metric: string;
  readonly estimator: Estimator;
  readonly paper: string;
  readonly reference: string;
  readonly shots: number;
  readonly maxInputTokens: number;
  readonly maxNewTokens: number;
  readonly sampling: Sampling;
  readonly samplesPerDocument: number;
  /** Documents asked for, when not all of them were. */
  readonly limit?: number;
  readonly groups: readonly GroupEstimate[];
  readonly otherMetrics: Readonly<Record<string, Estimate>>;
  /** Prompts that lost exemplars to the length limit. */
  readonly shortenedPrompts: number;
  /** Prompts longer than the limit even so. */
  readonly overlongPrompts: number;
  /** SHA-256 over all prompts in document order. */
  readonly promptHash: string;
  /** SHA-256 of the whole data set, limited or not. */
  readonly datasetHash: string;
  /** In document order. */
  readonly samples: readonly SampleRecord[];
}

/** One model on a list of tasks. */
export interface EvaluationResult {
  readonly schema: typeof RESULT_SCHEMA;
  readonly model: string;
  readonly seed: number;
  readonly tasks: readonly TaskResult[];
  /** The unweighted mean of the task scores; `n` is the number of tasks. */
  readonly average: Estimate;
}

/**
 * A result read back from the JSON it was kept as.
 *
 * @throws EvalError `EVAL_RESULT_UNREADABLE` when it is no result, or one of another schema version
 */
export function parseEvaluationResult(json: string): EvaluationResult {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new EvalError("EVAL_RESULT_UNREADABLE", "evaluation result", {
      expected: "JSON",
      got: quote(json),
      cause,
    });
  }
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (schema !== RESULT_SCHEMA) {
    throw new EvalError("EVAL_RESULT_UNREADABLE", "evaluation result: run the evaluation again", {
      expected: `schema ${RESULT_SCHEMA}`,
      got: quote(schema),
    });
  }
  return value as EvaluationResult;
}

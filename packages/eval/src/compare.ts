// The difference between two evaluations of the same tasks, paired document by document. How it is shown is in `table.ts`.

import { EvalError } from "./errors.ts";
import { groupBy } from "./group-by.ts";
import type { Estimate } from "./metrics/accuracy.ts";
import { mean, standardErrorOfAverage, standardErrorOfMean } from "./metrics/standard-error.ts";
import type { EvaluationResult, TaskResult } from "./results.ts";

/** One line of a comparison; scores and differences in [−1, 1]. */
export interface ComparisonRow {
  /** A task's name, or `average`. */
  readonly name: string;
  readonly base: Estimate;
  readonly fineTuned: Estimate;
  readonly difference: number;
  readonly differenceStandardError: number | undefined;
  /** Whether the standard error of the difference comes from pairs, which is the smaller and the right one. */
  readonly isPaired: boolean;
}

/** Two models on the same tasks. */
export interface Comparison {
  readonly base: string;
  readonly fineTuned: string;
  /** In the order of the tasks. */
  readonly tasks: readonly ComparisonRow[];
  /** Of the unweighted means over the tasks. */
  readonly average: ComparisonRow;
}

/**
 * `fineTuned` against `base`. Where both answered the same documents the standard error of a difference is that of the mean of
 * the paired differences (over documents, or stratified over groups); elsewhere that of independent scores.
 *
 * @throws EvalError `EVAL_OPTION_INVALID` when the two ran different tasks, versions, shots or data
 */
export function compareResults(base: EvaluationResult, fineTuned: EvaluationResult): Comparison {
  if (base.tasks.length !== fineTuned.tasks.length) {
    throw incomparable("tasks", String(base.tasks.length), String(fineTuned.tasks.length));
  }
  const tasks = base.tasks.map((task) => compareTask(task, counterpart(task, fineTuned)));
  const average: ComparisonRow = {
    name: "average",
    base: base.average,
    fineTuned: fineTuned.average,
    difference: fineTuned.average.score - base.average.score,
    differenceStandardError: standardErrorOfAverage(tasks.map((row) => row.differenceStandardError)),
    isPaired: tasks.every((row) => row.isPaired),
  };
  return { base: base.model, fineTuned: fineTuned.model, tasks, average };
}

function compareTask(base: TaskResult, fineTuned: TaskResult): ComparisonRow {
  const pairs = pairDocuments(base, fineTuned);
  return {
    name: base.task,
    base: estimateOf(base),
    fineTuned: estimateOf(fineTuned),
    difference: fineTuned.score - base.score,
    differenceStandardError:
      pairs === undefined ? independentError(base, fineTuned) : pairedError(base, pairs),
    isPaired: pairs !== undefined,
  };
}

function estimateOf({ score, standardError, n }: TaskResult): Estimate {
  return { score, standardError, n };
}

/** √(se² + se²). */
function independentError(a: Estimate, b: Estimate): number | undefined {
  if (a.standardError === undefined || b.standardError === undefined) return undefined;
  return Math.hypot(a.standardError, b.standardError);
}

interface DocumentDifference {
  readonly group: string;
  readonly difference: number;
}

function pairedError({ estimator }: TaskResult, pairs: readonly DocumentDifference[]): number | undefined {
  if (estimator === "mean over documents")
    return standardErrorOfMean(pairs.map(({ difference }) => difference));
  const groups = groupBy(pairs, ({ group }) => group);
  const errors = [...groups.values()].map((members) =>
    standardErrorOfMean(members.map((pair) => pair.difference)),
  );
  return standardErrorOfAverage(errors);
}

/** The difference of each document's share of right answers; `undefined` when the documents are not the same. */
function pairDocuments(base: TaskResult, fineTuned: TaskResult): DocumentDifference[] | undefined {
  const before = shareByDocument(base);
  const after = shareByDocument(fineTuned);
  if (before.size !== after.size) return undefined;
  const pairs: DocumentDifference[] = [];
  for (const [id, { group, share }] of before) {
    const other = after.get(id);
    if (other === undefined) return undefined;
    pairs.push({ group, difference: other.share - share });
  }
  return pairs;
}

function shareByDocument({ samples }: TaskResult): Map<string, { group: string; share: number }> {
  const byDocument = groupBy(samples, ({ documentId }) => documentId);
  return new Map(
    [...byDocument].map(([id, answers]) => {
      const share = mean(answers.map(({ isCorrect }) => Number(isCorrect)));
      return [id, { group: answers[0]?.group ?? "", share }];
    }),
  );
}

/** The other model's result for the same task under the same conditions. */
function counterpart(task: TaskResult, other: EvaluationResult): TaskResult {
  const found = other.tasks.find((candidate) => candidate.task === task.task);
  if (found === undefined) throw incomparable("tasks", task.task, "none of that name");
  for (const field of ["taskVersion", "shots", "datasetHash"] as const) {
    if (found[field] !== task[field])
      throw incomparable(`${task.task}, ${field}`, String(task[field]), String(found[field]));
  }
  return found;
}

function incomparable(what: string, expected: string, got: string): EvalError {
  return new EvalError("EVAL_OPTION_INVALID", `these results cannot be compared: ${what}`, { expected, got });
}

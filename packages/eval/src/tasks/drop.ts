// DROP: questions on a passage with short answers, those whose annotators agree; three sampled exemplars.

import { EvalError } from "../errors.ts";
import { hashJson } from "../hash.ts";
import { judgePrefix, sampleAccuracy } from "../prefix-match.ts";
import { pythonStrip } from "../python-strip.ts";
import { PythonRandom } from "../random/python-random.ts";
import type { Task, TaskDocument } from "../task.ts";
import type { DropRow } from "./drop-rows.ts";
import {
  FEW_SHOT_MAX_INPUT_TOKENS,
  type FewShotOptions,
  GREEDY,
  INSTRUCT_EVAL,
  requireShots,
} from "./instruct-eval.ts";

/** A question whose accepted answers are all the same text. */
export interface DropQuestion extends TaskDocument {
  readonly passage: string;
  readonly question: string;
  readonly answer: string;
}

/**
 * DROP over the validation rows, 3-shot unless told otherwise: rows with differing answers are left out, the exemplars are
 * drawn with Python's `random.seed(0)`, and every question on an exemplar's passage is left out too.
 *
 * @throws EvalError `EVAL_OPTION_INVALID` when there are fewer agreeing rows than `shots`
 */
export function createDropTask(rows: readonly DropRow[], options: FewShotOptions = {}): Task<DropQuestion> {
  const shots = requireShots(options.shots ?? 3);
  const agreeing = rows.filter(({ answers }) => new Set(answers.map(pythonStrip)).size === 1).map(toQuestion);
  if (agreeing.length < shots) {
    throw new EvalError("EVAL_OPTION_INVALID", "shots: too few rows to draw exemplars from", {
      expected: `at most ${agreeing.length}`,
      got: String(shots),
    });
  }
  const exemplars = new PythonRandom(0).sample(agreeing, shots);
  const exemplarPassages = new Set(exemplars.map(({ passage }) => passage));
  const exemplarPrompts = exemplars.map((exemplar) => `${questionPrompt(exemplar)} ${exemplar.answer}\n\n`);
  return {
    name: "drop",
    version: 1,
    metric: "accuracy",
    estimator: "mean over documents",
    paper:
      "Dua et al. 2019, DROP: A Reading Comprehension Benchmark Requiring Discrete Reasoning Over Paragraphs, arXiv 1903.00161",
    reference: INSTRUCT_EVAL,
    shots,
    maxInputTokens: options.maxInputTokens ?? FEW_SHOT_MAX_INPUT_TOKENS,
    maxNewTokens: 8,
    sampling: GREEDY,
    samplesPerDocument: 1,
    documents: agreeing.filter(({ passage }) => !exemplarPassages.has(passage)),
    datasetHash: hashJson(rows),
    prompt: (question, count) => exemplarPrompts.slice(0, count).join("") + questionPrompt(question),
    gold: ({ answer }) => answer,
    judge: ({ answer }, prediction) => judgePrefix(prediction, answer),
    aggregate: (samples) => ({ ...sampleAccuracy(samples), groups: [], otherMetrics: {} }),
  };
}

function toQuestion({ queryId, passage, question, answers }: DropRow): DropQuestion {
  return { id: queryId, group: "", passage, question, answer: pythonStrip(answers[0] ?? "") };
}

function questionPrompt({ passage, question }: DropQuestion): string {
  return `${pythonStrip(passage)} ${pythonStrip(question)}\nAnswer:`;
}

// MMLU: four-way multiple choice over 57 subjects, five exemplars of the same subject, micro average.

import path from "node:path";
import { parseCsv } from "../csv.ts";
import { EvalError, quote } from "../errors.ts";
import { hashJson } from "../hash.ts";
import { accuracyByGroup, judgePrefix, sampleAccuracy } from "../prefix-match.ts";
import { listSources, readSourceText } from "../source-file.ts";
import type { Task, TaskDocument } from "../task.ts";
import {
  FEW_SHOT_MAX_INPUT_TOKENS,
  type FewShotOptions,
  GREEDY,
  INSTRUCT_EVAL,
  requireShots,
} from "./instruct-eval.ts";
import { mmluCategory, mmluSubcategory } from "./mmlu-categories.ts";

const LETTERS = ["A", "B", "C", "D"] as const;

export type MmluLetter = (typeof LETTERS)[number];

export interface MmluQuestion extends TaskDocument {
  readonly question: string;
  readonly options: readonly [string, string, string, string];
  readonly answer: MmluLetter;
}

/** One subject: its development questions, which are the exemplars, and its test questions. */
export interface MmluSubject {
  readonly name: string;
  readonly dev: readonly MmluQuestion[];
  readonly test: readonly MmluQuestion[];
}

export interface ReadMmluOptions {
  /**
   * What an option cell that reads `None` becomes. `keep`, the default, leaves the text; `nan` is what a harness run under
   * pandas 2.0 or later puts into its prompts. It concerns ten options of the full test set.
   */
  readonly noneCells?: "keep" | "nan";
}

/**
 * The subjects in `folder`, which holds `dev/<subject>_dev.csv` and `test/<subject>_test.csv` as in the original `data.tar`;
 * any subset of the subjects will do. The files have no header: question, A, B, C, D, answer letter.
 *
 * @throws EvalError `EVAL_FILE_MISSING`, or `EVAL_FILE_MALFORMED` with the line
 */
export async function readMmlu(folder: string, options: ReadMmluOptions = {}): Promise<MmluSubject[]> {
  const names = await listSources(path.join(folder, "test"), "_test.csv");
  return Promise.all(
    names.map(async (name) => ({
      name,
      dev: await readQuestions(folder, name, "dev", options),
      test: await readQuestions(folder, name, "test", options),
    })),
  );
}

/**
 * MMLU over `subjects`, 5-shot unless told otherwise.
 *
 * @throws EvalError `EVAL_OPTION_INVALID` when a subject has fewer development questions than `shots`
 */
export function createMmluTask(
  subjects: readonly MmluSubject[],
  options: FewShotOptions = {},
): Task<MmluQuestion> {
  const shots = requireShots(options.shots ?? 5);
  for (const { name, dev } of subjects) {
    if (dev.length < shots) {
      throw new EvalError("EVAL_OPTION_INVALID", `shots: ${name} has too few development questions`, {
        expected: `at most ${dev.length}`,
        got: String(shots),
      });
    }
  }
  const exemplars = new Map(subjects.map(({ name, dev }) => [name, dev.map(exemplarPrompt)]));
  return {
    name: "mmlu",
    version: 1,
    metric: "accuracy",
    estimator: "mean over documents",
    paper: "Hendrycks et al. 2021, Measuring Massive Multitask Language Understanding, arXiv 2009.03300",
    reference: INSTRUCT_EVAL,
    shots,
    maxInputTokens: options.maxInputTokens ?? FEW_SHOT_MAX_INPUT_TOKENS,
    maxNewTokens: 2,
    sampling: GREEDY,
    samplesPerDocument: 1,
    documents: subjects.flatMap(({ test }) => test),
    datasetHash: hashJson(subjects),
    prompt: (question, count) =>
      header(question.group) +
      (exemplars.get(question.group) ?? []).slice(0, count).join("") +
      questionPrompt(question),
    gold: (question) => question.answer,
    judge: (question, prediction) => judgePrefix(prediction, question.answer),
    aggregate: (samples) => ({
      ...sampleAccuracy(samples),
      groups: [
        ...accuracyByGroup(samples, "subject"),
        ...accuracyByGroup(samples, "subcategory", mmluSubcategory),
        ...accuracyByGroup(samples, "category", mmluCategory),
      ],
      otherMetrics: {},
    }),
  };
}

/** Each word of the subject brings its own leading space, hence the two spaces after "about". */
function header(subject: string): string {
  const words = subject.split("_").map((word) => ` ${word}`);
  return `The following are multiple choice questions (with answers) about ${words.join("")}.\n\n`;
}

function questionPrompt({ question, options }: MmluQuestion): string {
  const choices = options.map((option, index) => `\n${LETTERS[index]}. ${option}`);
  return `${question}${choices.join("")}\nAnswer:`;
}

function exemplarPrompt(question: MmluQuestion): string {
  return `${questionPrompt(question)} ${question.answer}\n\n`;
}

async function readQuestions(
  folder: string,
  subject: string,
  split: "dev" | "test",
  { noneCells = "keep" }: ReadMmluOptions,
): Promise<MmluQuestion[]> {
  const file = path.join(folder, split, `${subject}_${split}.csv`);
  return parseCsv(await readSourceText(file), file).map(({ cells, line }, index) => {
    const [question = "", a = "", b = "", c = "", d = "", answer] = cells;
    const letter = LETTERS.find((candidate) => candidate === answer);
    if (cells.length !== 6 || letter === undefined) {
      throw new EvalError("EVAL_FILE_MALFORMED", "not an MMLU question", {
        file,
        record: line,
        expected: "6 cells without a header: question, A, B, C, D, and one of the letters A to D",
        got: `${cells.length} cells, the last ${quote(cells.at(-1))}`,
      });
    }
    const text = (option: string) => (option === "None" && noneCells === "nan" ? "nan" : option);
    const options = [text(a), text(b), text(c), text(d)] as const;
    return { id: `${subject}/${split}/${index}`, group: subject, question, options, answer: letter };
  });
}

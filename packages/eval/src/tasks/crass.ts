// CRASS: counterfactual conditionals with three or four options, three fixed exemplars, options shuffled as Python shuffles them.

import { EvalError } from "../errors.ts";
import { hashJson } from "../hash.ts";
import { judgePrefix, sampleAccuracy } from "../prefix-match.ts";
import { pythonStrip } from "../python-strip.ts";
import { PythonRandom } from "../random/python-random.ts";
import { readSourceText } from "../source-file.ts";
import type { Task, TaskDocument } from "../task.ts";
import {
  FEW_SHOT_MAX_INPUT_TOKENS,
  type FewShotOptions,
  GREEDY,
  INSTRUCT_EVAL,
  requireShots,
} from "./instruct-eval.ts";

const LETTERS = ["A", "B", "C", "D"] as const;

interface CrassItem {
  readonly premise: string;
  readonly question: string;
  /** In the order in which the prompt shows them. */
  readonly options: readonly string[];
  readonly answer: string;
}

export interface CrassQuestion extends CrassItem, TaskDocument {}

/** The exemplars of the harness, from the CRASS paper (Frohberg & Binder 2022). */
const EXEMPLARS: readonly CrassItem[] = [
  {
    premise: "A feather falls from a skyscraper.",
    question: "What would have happened if a computer had fallen from the skyscraper?",
    options: [
      "The computer would have remained intact.",
      "That is not possible.",
      "The computer would have been crushed.",
    ],
    answer: "The computer would have been crushed.",
  },
  {
    premise: "A lightning hits a tree.",
    question: "What would have happened if a marble would have hit the tree?",
    options: [
      "It would have burned down.",
      "Nothing special would have happened.",
      "The tree would have kissed the lightning.",
    ],
    answer: "Nothing special would have happened.",
  },
  {
    premise: "A man drinks a beer.",
    question: "What would have happened if the man had drunk a rainbow?",
    options: ["It would have been tasty.", "It would have been awful.", "That is not possible."],
    answer: "That is not possible.",
  },
];

/**
 * The questions of the CRASS CSV: `;`-separated without quoting, the first line a header; two id columns, premise, question,
 * correct answer, up to three other answers. Options are shuffled by one Python stream over the whole file.
 *
 * @throws EvalError `EVAL_FILE_MISSING`, or `EVAL_FILE_MALFORMED` with the line
 */
export async function readCrass(file: string): Promise<CrassQuestion[]> {
  const lines = (await readSourceText(file))
    .replace(/\r?\n$/, "")
    .split(/\r\n|\r|\n/)
    .slice(1);
  const random = new PythonRandom(0);
  return lines.map((line, index) => {
    const [, , premise, question, ...cells] = pythonStrip(line).split(";");
    const options = cells
      .slice(0, LETTERS.length)
      .map(pythonStrip)
      .filter((option) => option !== "");
    const [answer] = options;
    if (premise === undefined || question === undefined || answer === undefined || options.length < 2) {
      throw new EvalError("EVAL_FILE_MALFORMED", "not a CRASS question", {
        file,
        record: index + 2,
        expected: "id; id; premise; question; correct answer; 1 to 3 other answers",
        got: `${line === "" ? 0 : line.split(";").length} cells, ${options.length} of them answers`,
      });
    }
    return { id: `crass/${index}`, group: "", premise, question, options: random.shuffle(options), answer };
  });
}

/** CRASS over `questions`, 3-shot unless told otherwise (at most 3). */
export function createCrassTask(
  questions: readonly CrassQuestion[],
  options: FewShotOptions = {},
): Task<CrassQuestion> {
  const shots = requireShots(options.shots ?? EXEMPLARS.length, EXEMPLARS.length);
  const exemplarPrompts = EXEMPLARS.map(
    (exemplar) => `${questionPrompt(exemplar)} ${letterOf(exemplar)}\n\n`,
  );
  return {
    name: "crass",
    version: 1,
    metric: "accuracy",
    estimator: "mean over documents",
    paper:
      "Frohberg & Binder 2022, CRASS: A Novel Data Set and Benchmark to Test Counterfactual Reasoning of Large Language Models, arXiv 2112.11941",
    reference: INSTRUCT_EVAL,
    shots,
    maxInputTokens: options.maxInputTokens ?? FEW_SHOT_MAX_INPUT_TOKENS,
    maxNewTokens: 8,
    sampling: GREEDY,
    samplesPerDocument: 1,
    documents: questions,
    datasetHash: hashJson(questions),
    prompt: (question, count) => exemplarPrompts.slice(0, count).join("") + questionPrompt(question),
    gold: letterOf,
    judge: (question, prediction) => judgePrefix(prediction, letterOf(question)),
    aggregate: (samples) => ({ ...sampleAccuracy(samples), groups: [], otherMetrics: {} }),
  };
}

function questionPrompt({ premise, question, options }: CrassItem): string {
  const choices = options.map((option, index) => `\n${LETTERS[index]}. ${option}`);
  return `${pythonStrip(premise)} ${pythonStrip(question)}${choices.join("")}\nAnswer:`;
}

/** The letter of the first option that has the answer's text. */
function letterOf({ options, answer }: CrassItem): string {
  return LETTERS[options.indexOf(answer)] as string;
}

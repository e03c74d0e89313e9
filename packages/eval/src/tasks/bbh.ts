// BIG-Bench Hard: 27 configurations answered in free text, the first three examples of each as exemplars, macro average.

import path from "node:path";
import { EvalError, quote } from "../errors.ts";
import { hashJson } from "../hash.ts";
import { parseJson, requireArray, requireObject, requireString } from "../json-record.ts";
import { macroAverage } from "../metrics/accuracy.ts";
import { accuracyByGroup, judgePrefix } from "../prefix-match.ts";
import { listSources, readSourceText } from "../source-file.ts";
import type { Task, TaskDocument } from "../task.ts";
import {
  FEW_SHOT_MAX_INPUT_TOKENS,
  type FewShotOptions,
  GREEDY,
  INSTRUCT_EVAL,
  requireShots,
} from "./instruct-eval.ts";

export interface BbhExample extends TaskDocument {
  readonly input: string;
  readonly target: string;
}

/** One configuration, such as `navigate`, with its examples in file order. */
export interface BbhConfig {
  readonly name: string;
  readonly examples: readonly BbhExample[];
}

/**
 * The configurations in `folder`, one `<name>.json` each with `examples[].{input, target}`; any subset of the 27 will do.
 *
 * @throws EvalError `EVAL_FILE_MISSING`, or `EVAL_FILE_MALFORMED` with the example's number
 */
export async function readBbh(folder: string): Promise<BbhConfig[]> {
  const names = await listSources(folder, ".json");
  return Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, `${name}.json`);
      return { name, examples: parseExamples(await readSourceText(file), file, name) };
    }),
  );
}

/**
 * BBH over `configs`, 3-shot unless told otherwise. The exemplars are not scored, so the documents depend on `shots`.
 *
 * @throws EvalError `EVAL_OPTION_INVALID` when a configuration has no example left to score
 */
export function createBbhTask(configs: readonly BbhConfig[], options: FewShotOptions = {}): Task<BbhExample> {
  const shots = requireShots(options.shots ?? 3);
  for (const { name, examples } of configs) {
    if (examples.length <= shots) {
      throw new EvalError("EVAL_OPTION_INVALID", `shots: ${name} has no example left to score`, {
        expected: `less than ${examples.length}`,
        got: String(shots),
      });
    }
  }
  const exemplars = new Map(
    configs.map(({ name, examples }) => [name, examples.slice(0, shots).map(exemplarPrompt)]),
  );
  return {
    name: "bbh",
    version: 1,
    metric: "macro-averaged accuracy",
    estimator: "mean over groups",
    paper:
      "Suzgun et al. 2022, Challenging BIG-Bench Tasks and Whether Chain-of-Thought Can Solve Them, arXiv 2210.09261",
    reference: INSTRUCT_EVAL,
    shots,
    maxInputTokens: options.maxInputTokens ?? FEW_SHOT_MAX_INPUT_TOKENS,
    maxNewTokens: 32,
    sampling: GREEDY,
    samplesPerDocument: 1,
    documents: configs.flatMap(({ examples }) => examples.slice(shots)),
    datasetHash: hashJson(configs),
    prompt: (example, count) =>
      (exemplars.get(example.group) ?? []).slice(0, count).join("") + questionPrompt(example),
    gold: (example) => example.target,
    judge: (example, prediction) => judgePrefix(prediction, example.target),
    aggregate: (samples) => {
      const groups = accuracyByGroup(samples, "config");
      return { ...macroAverage(groups), groups, otherMetrics: {} };
    },
  };
}

function questionPrompt({ input }: BbhExample): string {
  return `${input}\nAnswer:`;
}

function exemplarPrompt(example: BbhExample): string {
  return `${questionPrompt(example)} ${example.target}\n\n`;
}

function parseExamples(text: string, file: string, config: string): BbhExample[] {
  const root = requireObject(parseJson(text, { file }), "BBH file", { file });
  const examples = requireArray(root.examples, "`examples`", { file });
  if (examples.length === 0) {
    throw new EvalError("EVAL_FILE_MALFORMED", "`examples`", {
      file,
      expected: "at least one",
      got: quote(examples),
    });
  }
  return examples.map((value, index) => {
    const place = { file, record: index + 1 };
    const example = requireObject(value, "example", place);
    return {
      id: `${config}/${index}`,
      group: config,
      input: requireString(example.input, "`input`", place),
      target: requireString(example.target, "`target`", place),
    };
  });
}

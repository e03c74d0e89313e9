// HumanEval: complete a Python function so that its unit tests pass; zero-shot, sampled, pass@k.

import { EvalError } from "../errors.ts";
import { groupBy } from "../group-by.ts";
import { hashJson } from "../hash.ts";
import { parseJsonLines, requireObject, requireString } from "../json-record.ts";
import { averagePassAtK, type ProblemOutcome } from "../metrics/pass-at-k.ts";
import type { PythonSandbox } from "../sandbox/python-sandbox.ts";
import { readSourceText } from "../source-file.ts";
import type { JudgedSample, Task, TaskDocument } from "../task.ts";
import { assembleProgram, extractCompletion } from "./humaneval-program.ts";
import { INSTRUCT_EVAL } from "./instruct-eval.ts";

export interface HumanEvalProblem extends TaskDocument {
  readonly prompt: string;
  readonly entryPoint: string;
  readonly canonicalSolution: string;
  readonly test: string;
}

export interface HumanEvalOptions {
  /** Runs the programs; the caller disposes of it. */
  readonly sandbox: PythonSandbox;
  /** Programs per problem: 1 (the default), 10 or 100; each has its temperature. */
  readonly samplesPerProblem?: number;
  /** Time per program; the sandbox's own limit by default. */
  readonly timeoutMs?: number;
}

const INSTRUCTION =
  "Please complete the following Python code without providing any additional tasks such as testing or explanations\n";

const TEMPERATURE_BY_SAMPLES: Readonly<Record<number, number>> = { 1: 0.1, 10: 0.6, 100: 0.8 };

/** The default of the library the harness generates with; it is never set, and never off. */
const TOP_K = 50;

/**
 * The problems of `HumanEval.jsonl` or `HumanEval.jsonl.gz`.
 *
 * @throws EvalError `EVAL_FILE_MISSING`, or `EVAL_FILE_MALFORMED` with the line
 */
export async function readHumanEval(file: string): Promise<HumanEvalProblem[]> {
  return parseJsonLines(await readSourceText(file), file).map(({ value, line }) => {
    const place = { file, record: line };
    const problem = requireObject(value, "HumanEval problem", place);
    const text = (key: string) => requireString(problem[key], `\`${key}\``, place);
    return {
      id: text("task_id"),
      group: "",
      prompt: text("prompt"),
      entryPoint: text("entry_point"),
      canonicalSolution: text("canonical_solution"),
      test: text("test"),
    };
  });
}

/**
 * HumanEval over `problems`. The harness sets 1,360 input tokens and never checks them; neither is anything cut here.
 *
 * @throws EvalError `EVAL_OPTION_INVALID` for a number of samples that has no temperature
 */
export function createHumanEvalTask(
  problems: readonly HumanEvalProblem[],
  { sandbox, samplesPerProblem = 1, timeoutMs }: HumanEvalOptions,
): Task<HumanEvalProblem> {
  const temperature = TEMPERATURE_BY_SAMPLES[samplesPerProblem];
  if (temperature === undefined) {
    throw new EvalError("EVAL_OPTION_INVALID", "samplesPerProblem", {
      expected: Object.keys(TEMPERATURE_BY_SAMPLES).join(", "),
      got: String(samplesPerProblem),
    });
  }
  return {
    name: "humaneval",
    version: 1,
    metric: "pass@1",
    estimator: "mean over documents",
    paper: "Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv 2107.03374",
    reference: INSTRUCT_EVAL,
    shots: 0,
    maxInputTokens: 1360,
    maxNewTokens: 512,
    sampling: { temperature, topK: TOP_K, topP: 1 },
    samplesPerDocument: samplesPerProblem,
    documents: problems,
    datasetHash: hashJson(problems),
    prompt: (problem) => INSTRUCTION + problem.prompt,
    gold: (problem) => `check(${problem.entryPoint})`,
    async judge(problem, prediction) {
      const answer = extractCompletion(prediction);
      const program = assembleProgram(problem, answer);
      const { status } = await sandbox.run(program, timeoutMs === undefined ? {} : { timeoutMs });
      return { isCorrect: status === "passed", answer, note: status };
    },
    aggregate(samples) {
      const outcomes = countOutcomes(samples);
      const reported = [10, 100].filter((k) => k <= samplesPerProblem);
      const otherMetrics = Object.fromEntries(
        reported.map((k) => [`pass@${k}`, averagePassAtK(outcomes, k)]),
      );
      return { ...averagePassAtK(outcomes, 1), groups: [], otherMetrics };
    },
  };
}

function countOutcomes(samples: readonly JudgedSample[]): ProblemOutcome[] {
  const programs = groupBy(samples, ({ documentId }) => documentId);
  return [...programs.values()].map((tries) => ({
    tried: tries.length,
    passed: tries.filter(({ isCorrect }) => isCorrect).length,
  }));
}

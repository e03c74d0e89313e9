// The public names of `@flacuna/eval`; no logic.

export { type Comparison, type ComparisonRow, compareResults } from "./compare.ts";
export { EVAL_ERROR_CODES, EvalError, type EvalErrorCode, type EvalErrorDetails } from "./errors.ts";
export { type EvaluateOptions, type EvaluationProgress, evaluate } from "./evaluate.ts";
export type { GenerateRequest, LanguageModel, LoglikelihoodRequest } from "./language-model.ts";
export { accuracy, type Estimate, macroAverage } from "./metrics/accuracy.ts";
export { averagePassAtK, type ProblemOutcome, passAtK } from "./metrics/pass-at-k.ts";
export { mean, standardErrorOfAverage, standardErrorOfMean } from "./metrics/standard-error.ts";
export {
  type EvaluationResult,
  parseEvaluationResult,
  RESULT_SCHEMA,
  type SampleRecord,
  type TaskResult,
} from "./results.ts";
export type { SampleStore } from "./sample-store.ts";
export { createPythonSandbox, type PythonSandboxOptions } from "./sandbox/pool.ts";
export type {
  ProgramResult,
  ProgramStatus,
  PythonSandbox,
  RunProgramOptions,
  SandboxDescription,
} from "./sandbox/python-sandbox.ts";
export { formatComparison, formatResult, type TableFormat } from "./table.ts";
export type {
  Aggregate,
  Estimator,
  GroupEstimate,
  JudgedSample,
  Judgement,
  Sampling,
  Task,
  TaskDocument,
} from "./task.ts";
export { type BbhConfig, type BbhExample, createBbhTask, readBbh } from "./tasks/bbh.ts";
export { type CrassQuestion, createCrassTask, readCrass } from "./tasks/crass.ts";
export { createDropTask, type DropQuestion } from "./tasks/drop.ts";
export { type DropRow, type DropRows, readDrop } from "./tasks/drop-rows.ts";
export {
  createHumanEvalTask,
  type HumanEvalOptions,
  type HumanEvalProblem,
  readHumanEval,
} from "./tasks/humaneval.ts";
export { type FewShotOptions, INSTRUCT_EVAL } from "./tasks/instruct-eval.ts";
export {
  createMmluTask,
  type MmluLetter,
  type MmluQuestion,
  type MmluSubject,
  type ReadMmluOptions,
  readMmlu,
} from "./tasks/mmlu.ts";
export { MMLU_SUBJECTS, mmluCategory, mmluSubcategory } from "./tasks/mmlu-categories.ts";

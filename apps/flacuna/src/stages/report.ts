// Everything the stages found as one report, written in three forms.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { compareResults, type EvaluationResult, type SampleRecord } from "@flacuna/eval";
import { parameterCount, readCheckpoint } from "@flacuna/model";
import { hashOf, type StageOutcome, writeText } from "../artifacts.ts";
import { BENCHMARK_NAMES, type BenchmarkName } from "../paper.ts";
import { formatHtml } from "../report/format-html.ts";
import { formatJson } from "../report/format-json.ts";
import { formatMarkdown } from "../report/format-markdown.ts";
import type {
  AnswerSample,
  BenchmarkScore,
  JsonValue,
  ModelScores,
  Report,
} from "../report/report-schema.ts";
import { readLog } from "../training/log-file.ts";
import { type EvaluateResult, readResult } from "./evaluate.ts";
import type { FetchResult } from "./fetch.ts";
import type { MergeResult } from "./merge.ts";
import type { PrepareResult } from "./prepare.ts";
import type { RunContext } from "./stage.ts";
import type { TrainResult } from "./train.ts";

/** The outcomes of all stages. */
export interface StageOutcomes {
  readonly fetched: StageOutcome<FetchResult>;
  readonly prepared: StageOutcome<PrepareResult>;
  readonly trained: StageOutcome<TrainResult>;
  readonly merged: StageOutcome<MergeResult>;
  readonly evaluated: StageOutcome<EvaluateResult>;
}

/** Answers shown per benchmark and kind of change. */
const SAMPLES_PER_KIND = 2;

/** Builds the report and writes `report.json`, `report.md` and `report.html` into the run's folder. */
export async function writeReport(context: RunContext, outcomes: StageOutcomes): Promise<Report> {
  const report = await buildReport(context, outcomes);
  const files = { "report.json": formatJson, "report.md": formatMarkdown, "report.html": formatHtml };
  for (const [name, format] of Object.entries(files))
    await writeText(join(context.folder, name), format(report));
  return report;
}

async function buildReport({ preset }: RunContext, outcomes: StageOutcomes): Promise<Report> {
  const { fetched, prepared, trained, evaluated } = outcomes;
  const vicuna = await readResult(evaluated.result.results.vicuna);
  const flacuna = await readResult(evaluated.result.results.flacuna);
  const comparison = compareResults(vicuna, flacuna);
  const paired = [...comparison.tasks, comparison.average].flatMap(
    ({ name, differenceStandardError, isPaired }) =>
      isPaired && differenceStandardError !== undefined ? [[name, 100 * differenceStandardError]] : [],
  );
  const { config } = await readCheckpoint(fetched.result.baseFolder);
  return {
    schemaVersion: 1,
    preset: preset.name,
    createdAt: new Date().toISOString(),
    baseModel: { name: preset.baseModel, parameterCount: parameterCount(config) },
    models: { vicuna: scoresOf(vicuna), flacuna: scoresOf(flacuna) },
    pairedStderr: Object.fromEntries(paired),
    settings: settingsOf({
      train: preset.train,
      evaluate: preset.evaluate,
      source: preset.source,
      model: config,
      tasks: taskSettings(flacuna),
    }),
    timings: Object.values(outcomes).map(({ stage, seconds, isReused }: StageOutcome<unknown>) => ({
      stage,
      seconds,
      isReused,
    })),
    versions: versions(),
    data: { components: prepared.result.components },
    training: {
      curve: (await readLog(trained.result.log)).map(({ step, loss, learningRate, gradientNorm }) => ({
        step: step + 1,
        loss,
        learningRate,
        gradNorm: gradientNorm,
      })),
      heldOut: evaluated.result.heldOut,
      trainableParameterCount: trained.result.trainableParameters,
    },
    samples: pickSamples(vicuna, flacuna, await readQuestions(evaluated.result.questions)),
    hashes: {
      ...fetched.result.hashes,
      ...promptHashes(flacuna),
      stages: hashOf(Object.values(outcomes).map(({ key }) => key)),
    },
    notes: preset.notes,
  };
}

const settingsOf = (settings: unknown): Record<string, JsonValue> =>
  JSON.parse(JSON.stringify(settings)) as Record<string, JsonValue>;

const taskSettings = ({ tasks }: EvaluationResult) =>
  Object.fromEntries(
    tasks.map(({ task, taskVersion, shots, maxInputTokens, maxNewTokens, sampling, metric, reference }) => [
      task,
      { taskVersion, shots, maxInputTokens, maxNewTokens, sampling, metric, reference },
    ]),
  );

const promptHashes = ({ tasks }: EvaluationResult): Record<string, string> =>
  Object.fromEntries(
    tasks.flatMap(({ task, promptHash, datasetHash }) => [
      [`${task} prompts`, promptHash],
      [`${task} data`, datasetHash],
    ]),
  );

function scoresOf({ tasks, average }: EvaluationResult): ModelScores {
  const toPercent = (estimate: {
    score: number;
    standardError?: number | undefined;
    n: number;
  }): BenchmarkScore => ({
    score: 100 * estimate.score,
    stderr: 100 * (estimate.standardError ?? 0),
    n: estimate.n,
  });
  const entries = tasks.map((task) => [
    task.task,
    { ...toPercent(task), metric: task.metric, fewShot: task.shots },
  ]);
  return Object.fromEntries([...entries, ["average", toPercent(average)]]) as ModelScores;
}

/** A few answers that changed for the better, for the worse, and not, of each benchmark. */
function pickSamples(
  before: EvaluationResult,
  after: EvaluationResult,
  questions: Questions,
): AnswerSample[] {
  return BENCHMARK_NAMES.flatMap((benchmark) => {
    const [old, tuned] = [before, after].map(
      ({ tasks }) => tasks.find(({ task }) => task === benchmark)?.samples ?? [],
    );
    const pairs = tuned!.map((sample, index) => ({ sample, base: old![index]! }));
    const kinds: ((base: SampleRecord, sample: SampleRecord) => boolean)[] = [
      (base, sample) => !base.isCorrect && sample.isCorrect,
      (base, sample) => base.isCorrect && !sample.isCorrect,
      (base, sample) => !base.isCorrect && !sample.isCorrect,
    ];
    return kinds
      .flatMap((isKind) =>
        pairs.filter(({ base, sample }) => isKind(base, sample)).slice(0, SAMPLES_PER_KIND),
      )
      .map(({ base, sample }) => toAnswer(benchmark, base, sample, questions));
  });
}

type Questions = Readonly<Record<string, string>>;

const readQuestions = async (path: string): Promise<Questions> =>
  JSON.parse(await readFile(path, "utf8")) as Questions;

const toAnswer = (
  benchmark: BenchmarkName,
  base: SampleRecord,
  sample: SampleRecord,
  questions: Questions,
): AnswerSample => ({
  benchmark,
  prompt: questions[`${benchmark}/${sample.documentId}`] ?? sample.documentId,
  before: base.prediction,
  after: sample.prediction,
  gold: sample.gold,
  isBeforeCorrect: base.isCorrect,
  isAfterCorrect: sample.isCorrect,
});

function versions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const names = ["tensor", "model", "lora", "data", "eval", "serve"].map((name) => `@flacuna/${name}`);
  const own = names.map((name) => [name, (require(`${name}/package.json`) as { version: string }).version]);
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    ...Object.fromEntries(own),
  };
}

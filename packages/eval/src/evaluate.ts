// Runs tasks against a model: prompts, batches, judging, resuming, averages. Benchmarks are in `tasks/`, the table in `table.ts`.

import { EvalError } from "./errors.ts";
import { type FittedPrompt, fitPrompt } from "./few-shot.ts";
import { groupBy } from "./group-by.ts";
import { hashText } from "./hash.ts";
import type { GenerateRequest, LanguageModel } from "./language-model.ts";
import { mean, standardErrorOfAverage } from "./metrics/standard-error.ts";
import { type EvaluationResult, RESULT_SCHEMA, type SampleRecord, type TaskResult } from "./results.ts";
import { type SampleStore, sampleKey } from "./sample-store.ts";
import { selectDocuments } from "./select-documents.ts";
import type { Task, TaskDocument } from "./task.ts";

export interface EvaluationProgress {
  readonly task: string;
  /** Samples of this task that are judged, those found in the store included. */
  readonly done: number;
  readonly total: number;
}

export interface EvaluateOptions {
  /** At most this many documents per task, spread evenly over its groups; all by default. */
  readonly limit?: number;
  /** Requests handed to the model at once, and lost at most if it is killed; 256 by default. */
  readonly batchSize?: number;
  /** Where sampling tasks begin; 0 by default. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  onProgress?(progress: EvaluationProgress): void;
  /** Judged samples go in, and come out again in a later run. */
  readonly store?: SampleStore;
}

/** One prediction that is wanted. */
interface PlannedSample {
  readonly document: TaskDocument;
  readonly sampleIndex: number;
  readonly fitted: FittedPrompt;
  readonly request: GenerateRequest;
  /** Place in document order. */
  readonly index: number;
}

/**
 * The scores of `model` on `tasks`, one task after the other.
 *
 * @throws EvalError `EVAL_OPTION_INVALID`; `EVAL_MODEL_BROKEN` when the model returns another number of texts than asked for
 * @throws the signal's reason when aborted; what was judged by then is in the store
 */
export async function evaluate(
  model: LanguageModel,
  tasks: readonly Task[],
  options: EvaluateOptions = {},
): Promise<EvaluationResult> {
  requirePositive("limit", options.limit ?? 1);
  requirePositive("batchSize", options.batchSize ?? 1);
  const results: TaskResult[] = [];
  for (const { name, documents } of tasks) requirePositive(`documents of ${name}`, documents.length);
  for (const task of tasks) results.push(await evaluateTask(model, task, options));
  return {
    schema: RESULT_SCHEMA,
    model: model.name,
    seed: options.seed ?? 0,
    tasks: results,
    average: {
      score: mean(results.map(({ score }) => score)),
      standardError: standardErrorOfAverage(results.map(({ standardError }) => standardError)),
      n: results.length,
    },
  };
}

async function evaluateTask(model: LanguageModel, task: Task, options: EvaluateOptions): Promise<TaskResult> {
  const planned = planSamples(model, task, options);
  const records = await judgeSamples(model, task, planned, options);
  const { limit } = options;
  const firstSamples = planned.filter(({ sampleIndex }) => sampleIndex === 0);
  return {
    task: task.name,
    taskVersion: task.version,
    metric: task.metric,
    estimator: task.estimator,
    paper: task.paper,
    reference: task.reference,
    shots: task.shots,
    maxInputTokens: task.maxInputTokens,
    maxNewTokens: task.maxNewTokens,
    sampling: task.sampling,
    samplesPerDocument: task.samplesPerDocument,
    ...(limit !== undefined && limit < task.documents.length ? { limit } : {}),
    ...task.aggregate(records),
    shortenedPrompts: firstSamples.filter(({ fitted }) => fitted.shots < task.shots).length,
    overlongPrompts: firstSamples.filter(({ fitted }) => fitted.isOverlong).length,
    promptHash: hashText(firstSamples.map(({ fitted }) => fitted.prompt)),
    datasetHash: task.datasetHash,
    samples: records,
  };
}

function planSamples(
  model: LanguageModel,
  task: Task,
  { limit, seed = 0 }: EvaluateOptions,
): PlannedSample[] {
  const { shots, maxInputTokens, maxNewTokens, sampling, samplesPerDocument } = task;
  const countTokens = (text: string) => model.countTokens(text);
  const planned: PlannedSample[] = [];
  for (const document of selectDocuments(task.documents, limit)) {
    const fitted = fitPrompt((count) => task.prompt(document, count), { shots, maxInputTokens, countTokens });
    for (let sampleIndex = 0; sampleIndex < samplesPerDocument; sampleIndex++) {
      const draw = sampling.temperature === 0 ? {} : { seed: seedOf(seed, document.id, sampleIndex) };
      const request = { prompt: fitted.prompt, maxNewTokens, ...sampling, ...draw };
      planned.push({ document, sampleIndex, fitted, request, index: planned.length });
    }
  }
  return planned;
}

/** The records in document order, from the store where it has them, from the model otherwise. */
async function judgeSamples(
  model: LanguageModel,
  task: Task,
  planned: readonly PlannedSample[],
  options: EvaluateOptions,
): Promise<SampleRecord[]> {
  const { batchSize = 256, signal, store } = options;
  const keyOf = ({ document, sampleIndex, request }: PlannedSample) =>
    sampleKey(model.name, task, { documentId: document.id, sampleIndex, request });
  const records: SampleRecord[] = [];
  const missing: PlannedSample[] = [];
  for (const sample of planned) {
    const known = await store?.get(keyOf(sample));
    if (known === undefined) missing.push(sample);
    else records[sample.index] = known;
  }
  let done = planned.length - missing.length;
  const report = () => options.onProgress?.({ task: task.name, done, total: planned.length });
  report();
  const ordered = keepPrefixesTogether(missing);
  for (let start = 0; start < ordered.length; start += batchSize) {
    signal?.throwIfAborted();
    const batch = ordered.slice(start, start + batchSize);
    const predictions = await generate(model, batch, signal);
    await Promise.all(
      batch.map(async (sample, at) => {
        const record = await judgeSample(task, sample, predictions[at] as string);
        records[sample.index] = record;
        await store?.put(keyOf(sample), record);
      }),
    );
    done += batch.length;
    report();
  }
  return records;
}

async function generate(
  model: LanguageModel,
  batch: readonly PlannedSample[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const requests = batch.map(({ request }) => request);
  const predictions = await model.generateUntil(requests, signal === undefined ? {} : { signal });
  if (predictions.length !== requests.length) {
    throw new EvalError("EVAL_MODEL_BROKEN", `${model.name}: generateUntil()`, {
      expected: `${requests.length} texts, one per request`,
      got: String(predictions.length),
    });
  }
  return predictions;
}

async function judgeSample(task: Task, sample: PlannedSample, prediction: string): Promise<SampleRecord> {
  const { document, sampleIndex, fitted } = sample;
  const judgement = await task.judge(document, prediction);
  return {
    documentId: document.id,
    group: document.group,
    sampleIndex,
    promptHash: hashText([fitted.prompt]),
    shots: fitted.shots,
    isOverlong: fitted.isOverlong,
    prediction,
    gold: task.gold(document),
    ...judgement,
  };
}

/** Requests with the same exemplars stand side by side, so that a model which caches prefixes reads them once. */
function keepPrefixesTogether(samples: readonly PlannedSample[]): PlannedSample[] {
  const groups = groupBy(samples, ({ document, fitted }) => `${document.group}\0${fitted.shots}`);
  return [...groups.values()].flat();
}

/** A seed that depends on the document and not on its place, so that limits and order change no draw. */
function seedOf(seed: number, documentId: string, sampleIndex: number): number {
  return Number.parseInt(hashText([String(seed), documentId, String(sampleIndex)]).slice(0, 8), 16);
}

function requirePositive(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new EvalError("EVAL_OPTION_INVALID", name, {
    expected: "a whole number of at least 1",
    got: String(value),
  });
}

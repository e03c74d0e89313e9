// Scores of the base and of the fine-tuned model on the five benchmarks, and their losses on what was held out.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { collate, selectRows, splitRows, TokenizedDataset, type TokenizedRows } from "@flacuna/data";
import {
  createBbhTask,
  createCrassTask,
  createDropTask,
  createHumanEvalTask,
  createMmluTask,
  createPythonSandbox,
  type EvaluationResult,
  evaluate,
  type PythonSandbox,
  parseEvaluationResult,
  readBbh,
  readCrass,
  readDrop,
  readHumanEval,
  readMmlu,
  type Task,
} from "@flacuna/eval";
import { countLabels, createLossEvaluator, toSupervisedBatch } from "@flacuna/lora";
import { loadLanguageModel, readCheckpoint } from "@flacuna/model";
import { runStage, type StageOutcome, writeJson } from "../artifacts.ts";
import type { EvaluateSettings, TrainSettings } from "../presets.ts";
import { createProgress, type Progress } from "../progress.ts";
import type { HeldOutLoss, ModelName } from "../report/report-schema.ts";
import { openSampleFile } from "../sample-file.ts";
import { toScoredModel } from "../wiring.ts";
import type { FetchResult } from "./fetch.ts";
import type { MergeResult } from "./merge.ts";
import type { PrepareResult } from "./prepare.ts";
import type { RunContext } from "./stage.ts";

/** Where the results are, and the held-out losses. */
export interface EvaluateResult {
  readonly results: Readonly<Record<ModelName, string>>;
  /** a file with every question by `task/document`, without its exemplars */
  readonly questions: string;
  readonly heldOut: { readonly flan: HeldOutLoss; readonly chat: HeldOutLoss };
}

/** The folders of the two models. */
export type ModelFolders = Readonly<Record<ModelName, string>>;

/** Scores both models. */
export function evaluateModels(
  context: RunContext,
  fetched: StageOutcome<FetchResult>,
  prepared: StageOutcome<PrepareResult>,
  merged: StageOutcome<MergeResult>,
): Promise<StageOutcome<EvaluateResult>> {
  const { evaluate: settings, train } = context.preset;
  return runStage(context.folder, "evaluate", { merge: merged.key, settings }, async (folder) => {
    const folders: ModelFolders = { vicuna: fetched.result.baseFolder, flacuna: merged.result.model };
    const heldOut = await measureHeldOut(folders, prepared.result, train);
    const sandbox = await createPythonSandbox();
    try {
      const tasks = await readTasks(fetched.result.benchmarks, sandbox);
      const results = {
        vicuna: await scoreModel("vicuna", folders.vicuna, {
          tasks,
          folder,
          settings,
          signal: context.signal,
        }),
        flacuna: await scoreModel("flacuna", folders.flacuna, {
          tasks,
          folder,
          settings,
          signal: context.signal,
        }),
      };
      const questions = join(folder, "questions.json");
      await writeJson(questions, questionsOf(tasks));
      return { results, questions, heldOut };
    } finally {
      await sandbox.dispose();
    }
  });
}

/** The five benchmarks from a folder with their original files, in INSTRUCTEVAL's order. */
async function readTasks(folder: string, sandbox: PythonSandbox): Promise<Task[]> {
  const at = (...parts: string[]) => join(folder, ...parts);
  return [
    createMmluTask(await readMmlu(at("mmlu"))),
    createBbhTask(await readBbh(at("bbh"))),
    createDropTask((await readDrop(at("drop", "drop_dataset_dev.json"))).rows),
    createHumanEvalTask(await readHumanEval(at("humaneval", "HumanEval.jsonl")), { sandbox }),
    createCrassTask(await readCrass(at("crass", "CRASS_FTM_main_data_set.csv"))),
  ];
}

const questionsOf = (tasks: readonly Task[]): Record<string, string> =>
  Object.fromEntries(
    tasks.flatMap((task) =>
      task.documents.map((document) => [`${task.name}/${document.id}`, task.prompt(document, 0)]),
    ),
  );

interface ScoreOptions {
  readonly tasks: readonly Task[];
  readonly folder: string;
  readonly settings: EvaluateSettings;
  readonly signal: AbortSignal;
}

/** Scores one model and writes the result beside its samples. */
async function scoreModel(name: ModelName, modelFolder: string, options: ScoreOptions): Promise<string> {
  const path = join(options.folder, `${name}.json`);
  if (existsSync(path)) return path;
  const { seed, precision } = options.settings;
  const model = await loadLanguageModel(modelFolder, precision ? { precision } : {});
  const bars = new Map<string, Progress>();
  const result = await evaluate(toScoredModel(name, model), options.tasks, {
    seed,
    batchSize: 64,
    signal: options.signal,
    store: await openSampleFile(join(options.folder, `${name}.samples.jsonl`)),
    onProgress: ({ task, done, total }) => {
      const bar =
        bars.get(task) ?? createProgress(`evaluate ${name} ${task}`, total, { unit: "samples", start: done });
      bars.set(task, bar);
      bar.update(done);
      if (done === total) bar.stop();
    },
  });
  await model.dispose();
  await writeJson(path, result);
  return path;
}

/** A result written by `evaluateModels`. */
export const readResult = async (path: string): Promise<EvaluationResult> =>
  parseEvaluationResult(await readFile(path, "utf8"));

async function measureHeldOut(
  folders: ModelFolders,
  prepared: PrepareResult,
  train: TrainSettings,
): Promise<EvaluateResult["heldOut"]> {
  using dataset = await TokenizedDataset.open(prepared.dataset);
  using chats = await TokenizedDataset.open(prepared.chats);
  const { evaluation } = splitRows(dataset.length, {
    trainFraction: train.trainFraction,
    seed: train.splitSeed,
  });
  const sets = { flan: selectRows(dataset, evaluation), chat: chats };
  const losses = async (rows: TokenizedRows): Promise<HeldOutLoss> => ({
    before: await meanLoss(folders.vicuna, rows, prepared.padTokenId),
    after: await meanLoss(folders.flacuna, rows, prepared.padTokenId),
    n: rows.length,
  });
  return { flan: await losses(sets.flan), chat: await losses(sets.chat) };
}

const ROWS_PER_BATCH = 8;

/** Mean over all labelled tokens, in nats. */
async function meanLoss(modelFolder: string, rows: TokenizedRows, padTokenId: number): Promise<number> {
  const evaluator = await createLossEvaluator(await readCheckpoint(modelFolder));
  let [total, count] = [0, 0];
  for (let start = 0; start < rows.length; start += ROWS_PER_BATCH) {
    const indices = Array.from(
      { length: Math.min(ROWS_PER_BATCH, rows.length - start) },
      (_, index) => start + index,
    );
    const batch = collate(
      indices.map((index) => rows.get(index)),
      { padTokenId },
    );
    const labels = countLabels(batch);
    total += labels * (await evaluator.evaluate(toSupervisedBatch(batch)));
    count += labels;
  }
  await evaluator.dispose();
  return total / count;
}

// Who scores: ours, transformers and llama.cpp, each in a process of its own, the peers in their fastest setting.
import type { LoglikelihoodRequest } from "@flacuna/model";
import { describeLlamaSettings } from "../generate/llama-trials.ts";
import type { LlamaSettings, LoadTransformers, Score, ScoreAnswer } from "../generate/protocol.ts";
import { llamaScorerLoad } from "../generate/scorer-load.ts";
import type { Worker } from "../worker.ts";

/** A loaded worker, and what it was told. */
export interface Scorer {
  readonly name: string;
  readonly worker: Worker;
  readonly settings: string;
  score(requests: readonly LoglikelihoodRequest[]): Promise<ScoreAnswer>;
}

/** A setting: how to load it, and what goes with every request. */
interface Setting {
  readonly name: string;
  readonly load: { readonly command: "load" };
  readonly with: Partial<Score>;
}

/** transformers in the precisions and batch sizes that may be its best. */
export function transformersSettings(model: string, threads: number): Setting[] {
  return (["float32", "bfloat16"] as const).flatMap((dtype) =>
    [1, 4, 8].map((batchSize) => {
      const load: LoadTransformers = { command: "load", model, dtype, threads };
      return { name: `${dtype}, ${batchSize} rows`, load, with: { batchSize } };
    }),
  );
}

/** llama.cpp with few and with many prompts' ends in a batch. */
export function llamaScorerSettings(gguf: string, threads: number): Setting[] {
  const choices = [true, false].flatMap((flashAttention) =>
    [512, 2048].flatMap((batchSize) =>
      [8, 32, 1].map((sequences) => ({ flashAttention, batchSize, sequences })),
    ),
  );
  return choices.map((choice) => {
    const settings: LlamaSettings = { ...choice, threads, unifiedCache: true };
    return {
      name: `${describeLlamaSettings(settings)}, ${choice.sequences} prompts at once`,
      load: llamaScorerLoad(gguf, threads, choice),
      with: {},
    };
  });
}

/**
 * Loads `worker` with the fastest of `settings` on `trial`; the first of two runs warms up.
 *
 * @throws Error when none works
 */
export async function openScorer(
  name: string,
  worker: Worker,
  settings: readonly Setting[],
  trial: readonly LoglikelihoodRequest[],
  log: (line: string) => void,
): Promise<Scorer> {
  let [best, least]: [Setting | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
  for (const setting of settings) {
    try {
      await worker.ask(setting.load);
      await ask(worker, setting, trial);
      const { seconds } = await ask(worker, setting, trial);
      if (settings.length > 1) log(`trial, ${name}, ${setting.name}: ${seconds.toFixed(2)} s`);
      if (seconds < least) [best, least] = [setting, seconds];
    } catch (error) {
      log(`trial, ${name}, ${setting.name}: ${(error as Error).message}`);
    }
  }
  if (best === undefined) throw new Error(`no setting of ${name} works`);
  const chosen = best;
  if (settings.length > 1) await worker.ask(chosen.load);
  await ask(worker, chosen, trial);
  return {
    name,
    worker,
    settings: chosen.name,
    score: (requests) => ask(worker, chosen, requests),
  };
}

const ask = async (
  worker: Worker,
  setting: Setting,
  requests: readonly LoglikelihoodRequest[],
): Promise<ScoreAnswer> => (await worker.ask({ command: "score", requests, ...setting.with })) as ScoreAnswer;

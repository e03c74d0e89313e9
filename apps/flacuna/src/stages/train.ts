// The fine-tuning itself: LoRA over the frozen base, one log line per update, a state to go on from.
import { join } from "node:path";
import {
  packRows,
  selectRows,
  splitRows,
  TokenizedDataset,
  TokenLoader,
  type TokenLoaderState,
} from "@flacuna/data";
import {
  type Adapter,
  countTrainable,
  createAdapter,
  createAdapterTrainer,
  type LoraTree,
  toSupervisedBatch,
  writeAdapter,
} from "@flacuna/lora";
import { llamaParameterShapes, readCheckpoint } from "@flacuna/model";
import { adamW, type Tensor, type Trainer, warmupCosine } from "@flacuna/tensor";
import { runStage, type StageOutcome } from "../artifacts.ts";
import type { TrainSettings } from "../presets.ts";
import { createProgress } from "../progress.ts";
import { appendLog, cutLog } from "../training/log-file.ts";
import { restoreTrainer, saveTrainer } from "../training/trainer-file.ts";
import type { FetchResult } from "./fetch.ts";
import type { PrepareResult } from "./prepare.ts";
import type { RunContext } from "./stage.ts";

/** Where the adapter and the log are. */
export interface TrainResult {
  readonly adapter: string;
  readonly log: string;
  readonly steps: number;
  readonly trainableParameters: number;
}

/** Trains the adapter. */
export function trainAdapter(
  context: RunContext,
  fetched: StageOutcome<FetchResult>,
  prepared: StageOutcome<PrepareResult>,
): Promise<StageOutcome<TrainResult>> {
  const { train } = context.preset;
  return runStage(context.folder, "train", { prepare: prepared.key, train }, async (folder) => {
    using rows = await TokenizedDataset.open(prepared.result.dataset);
    const { train: indices } = splitRows(rows.length, {
      trainFraction: train.trainFraction,
      seed: train.splitSeed,
    });
    const trained = selectRows(rows, indices);
    const loader = new TokenLoader({
      rows: train.packing ? packRows(trained, { capacity: train.maxLength, seed: train.seed }) : trained,
      batchSize: train.microBatchSize,
      padTokenId: prepared.result.padTokenId,
      seed: train.seed,
      epochs: train.epochs,
      lengthGroupWindow: train.lengthGroupWindow,
    });
    const totalSteps = Math.floor((loader.batchesPerEpoch * train.epochs) / train.accumulationSteps);
    const checkpoint = await readCheckpoint(fetched.result.baseFolder);
    const shapes = llamaParameterShapes(checkpoint.config);
    const adapter = createAdapter(shapes, train.lora, { seed: train.seed });
    const trainer = await createAdapterTrainer({
      config: checkpoint.config,
      weights: checkpoint.weights,
      adapter,
      optimizer: adamW(),
      schedule: warmupCosine({ peak: train.learningRate, warmupSteps: train.warmupSteps, totalSteps }),
      accumulationSteps: train.accumulationSteps,
      maxGradNorm: train.maxGradNorm,
      seed: train.seed,
      ...(train.precision && { precision: train.precision }),
      ...(train.recompute && { recompute: train.recompute }),
    });
    const log = join(folder, "log.jsonl");
    await run(trainer, loader, { context, train, totalSteps, log, state: join(folder, "state.safetensors") });
    const { parameters } = await trainer.state();
    await trainer.dispose();
    const result: Adapter = { config: train.lora, tensors: parameters as LoraTree<Tensor> };
    await writeAdapter(join(folder, "adapter"), result);
    return {
      adapter: join(folder, "adapter"),
      log,
      steps: totalSteps,
      trainableParameters: countTrainable(shapes, train.lora),
    };
  });
}

interface RunOptions {
  readonly context: RunContext;
  readonly train: TrainSettings;
  readonly totalSteps: number;
  readonly log: string;
  readonly state: string;
}

async function run(trainer: Trainer, loader: TokenLoader, options: RunOptions): Promise<void> {
  const { context, train, totalSteps, log, state } = options;
  const place = await restoreTrainer(state, trainer);
  if (place !== undefined) {
    loader.restore(place as TokenLoaderState);
    context.say(`going on at update ${trainer.step} of ${totalSteps}`);
  }
  await cutLog(log, trainer.step);
  const progress = createProgress("train", totalSteps, { unit: "updates", start: trainer.step });
  const batches = loader[Symbol.asyncIterator]();
  while (trainer.step < totalSteps) {
    const micro: unknown[] = [];
    while (micro.length < train.accumulationSteps)
      micro.push(toSupervisedBatch((await batches.next()).value!));
    const result = await trainer.train(micro, { signal: context.signal });
    await appendLog(log, result);
    progress.update(trainer.step, `loss ${result.loss.toFixed(3)}`);
    if (trainer.step % train.saveEvery === 0) await saveTrainer(state, trainer, loader.state());
  }
  progress.stop();
}

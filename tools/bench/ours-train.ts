// Our side of the training benchmark, in a process of its own: obeys the commands of protocol.ts on standard input.
import { type Adapter, createAdapterTrainer, readAdapter } from "@flacuna/lora";
import { type Checkpoint, readCheckpoint } from "@flacuna/model";
import { adamW, constantSchedule, kernelStatus, type Precision, type Trainer } from "@flacuna/tensor";
import { answerCommands } from "./answer-commands.ts";
import { profileStep } from "./profile-step.ts";
import type { Batch, Command, Hello, OurSettings, TrainAnswer, Training } from "./protocol.ts";
import { toTensors } from "./to-tensors.ts";

/** A precision that is not here is refused, never replaced by another. */
const PRECISIONS: readonly Precision[] = ["float32", "bfloat16", "int8", "int4"];

/** What `load` makes. */
interface Loaded {
  readonly checkpoint: Checkpoint;
  readonly adapter: Adapter;
  readonly trainer: Trainer;
  readonly threads: number;
  readonly precision: Precision;
}

async function load(settings: Training & OurSettings): Promise<Loaded> {
  const { model, learningRate, threads } = settings;
  const precision = PRECISIONS.find((each) => each === settings.precision);
  if (precision === undefined) throw new Error(`this build has no precision "${settings.precision}"`);
  const checkpoint = await readCheckpoint(model);
  const adapter = await readAdapter(settings.adapter);
  const trainer = await createAdapterTrainer({
    config: checkpoint.config,
    weights: checkpoint.weights,
    adapter,
    optimizer: adamW(),
    schedule: constantSchedule(learningRate),
    threads,
    precision,
  });
  return { checkpoint, adapter, trainer, threads, precision };
}

async function train(trainer: Trainer, batches: readonly Batch[]): Promise<TrainAnswer> {
  const ready = batches.map(toTensors);
  const seconds: number[] = [];
  const losses: number[] = [];
  for (const batch of ready) {
    const started = performance.now();
    const { loss, skipped } = await trainer.train([batch]);
    seconds.push((performance.now() - started) / 1e3);
    if (skipped) throw new Error("an update was skipped: its gradient is not finite");
    losses.push(loss);
  }
  return { seconds, losses };
}

let loaded: Loaded | undefined;

async function obey(command: Command): Promise<unknown> {
  if (command.command === "load") {
    await loaded?.trainer.dispose();
    loaded = undefined;
    loaded = await load(command as Training & OurSettings);
    return {};
  }
  if (loaded === undefined) throw new Error("nothing is loaded");
  if (command.command === "train") return train(loaded.trainer, command.batches);
  return profileStep({ ...loaded, batch: toTensors(command.batch), prefix: command.prefix });
}

const { path: kernels = "none" } = await kernelStatus();
const hello: Hello = {
  versions: { node: process.versions.node, "native kernels": kernels },
  precisions: PRECISIONS,
};
await answerCommands(hello, obey);

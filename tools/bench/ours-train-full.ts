// Our side of `pnpm bench train-full`, in a process of its own: trains all weights by the commands of protocol.ts on standard input.
import { createFullTrainer } from "@flacuna/lora";
import { llamaParameterShapes, readCheckpoint } from "@flacuna/model";
import { adamW, constantSchedule, kernelStatus, type Tensor, type Trainer } from "@flacuna/tensor";
import { answerCommands } from "./answer-commands.ts";
import type { Batch, Command, Hello, TrainAnswer, Training } from "./protocol.ts";
import { toTensors } from "./to-tensors.ts";

async function load({ model, learningRate, threads }: Training): Promise<Trainer> {
  const { config, weights } = await readCheckpoint(model);
  const parameters: Record<string, Tensor> = {};
  for (const path of llamaParameterShapes(config).keys()) parameters[path] = await weights.get(path)!.read();
  const schedule = constantSchedule(learningRate);
  return createFullTrainer({ config, parameters, optimizer: adamW(), schedule, threads });
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

let trainer: Trainer | undefined;

async function obey(command: Command): Promise<unknown> {
  if (command.command === "load") {
    await trainer?.dispose();
    trainer = await load(command);
    return {};
  }
  if (command.command !== "train" || trainer === undefined) throw new Error(`cannot ${command.command} now`);
  return train(trainer, command.batches);
}

const { path: kernels = "none" } = await kernelStatus();
const hello: Hello = { versions: { node: process.versions.node, "native kernels": kernels } };
await answerCommands(hello, obey);

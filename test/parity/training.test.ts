// Ten steps of an adapter's training, held to PyTorch's AdamW, clipping and transformers' cosine schedule over PEFT.
import { createAdapterTrainer, type LoraTree, toSupervisedBatch } from "@flacuna/lora";
import { adamW, type StepResult, type Tensor, warmupCosine } from "@flacuna/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { mismatches, TOLERANCE, worstError } from "./closeness.ts";
import { byPeftName, type GoldenTraining, TOYS, type ToyModel, trainingBatches } from "./toy-models.ts";

const MICRO_BATCHES = 2;
const TRAINING_TIMEOUT_MS = 60_000;

interface History {
  readonly microBatchLosses: readonly number[];
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  readonly learningRates: readonly number[];
  readonly adapter: LoraTree<Tensor>;
}

/** Ten steps as the golden ones, with each micro-batch's loss measured before the step it belongs to. */
async function train(toy: ToyModel, { weightDecay, maxGradNorm }: GoldenTraining): Promise<History> {
  const { learningRate, warmupSteps, steps: totalSteps } = toy.numbers.optimizer;
  const trainer = await createAdapterTrainer({
    config: toy.config,
    weights: toy.weights,
    adapter: toy.adapter,
    optimizer: adamW({ weightDecay }),
    schedule: warmupCosine({ peak: learningRate, warmupSteps, totalSteps }),
    accumulationSteps: MICRO_BATCHES,
    maxGradNorm,
    threads: 1,
  });
  const batches = trainingBatches(toy).map(toSupervisedBatch);
  const steps: StepResult[] = [];
  const microBatchLosses: number[] = [];
  for (let start = 0; start < batches.length; start += MICRO_BATCHES) {
    const parts = batches.slice(start, start + MICRO_BATCHES);
    for (const part of parts) microBatchLosses.push(await trainer.evaluate(part));
    steps.push(await trainer.train(parts));
  }
  const { parameters } = await trainer.state();
  await trainer.dispose();
  return {
    microBatchLosses,
    losses: steps.map(({ loss }) => loss),
    gradNorms: steps.map(({ gradientNorm }) => gradientNorm),
    learningRates: steps.map(({ learningRate }) => learningRate),
    adapter: parameters as LoraTree<Tensor>,
  };
}

const RUNS = TOYS.flatMap((toy) => [
  { name: toy.name, toy, kind: "decay", golden: toy.numbers.trainDecay },
  { name: toy.name, toy, kind: "noDecay", golden: toy.numbers.trainNoDecay },
]);

describe.each(RUNS)("createAdapterTrainer() with $kind for $name", ({ toy, kind, golden }) => {
  let history: History;
  beforeAll(async () => {
    history = await train(toy, golden);
  }, TRAINING_TIMEOUT_MS);

  it("has the reference's losses", () => {
    expect(worstError(history.microBatchLosses, golden.microBatchLosses.flat())).toBeLessThanOrEqual(
      TOLERANCE,
    );
    expect(worstError(history.losses, golden.losses)).toBeLessThanOrEqual(TOLERANCE);
  });

  it("has the reference's gradient norms before clipping", () => {
    expect(worstError(history.gradNorms, golden.gradNorms)).toBeLessThanOrEqual(TOLERANCE);
  });

  it("has the reference's learning rates", () => {
    expect(worstError(history.learningRates, golden.learningRates)).toBeLessThanOrEqual(1e-15);
  });

  it("ends with the reference's adapter", () => {
    expect(mismatches(byPeftName(history.adapter), (key) => toy.value(`train.${kind}.${key}`))).toEqual({});
  });
});

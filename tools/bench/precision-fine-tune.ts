// The same small fine-tuning in one precision: held-out loss before and after.
import { createAdapterTrainer, type SupervisedBatch } from "@flacuna/lora";
import { adamW, constantSchedule, type Precision, type Trainer } from "@flacuna/tensor";
import type { PrecisionSetup } from "./precision-setup.ts";

const LEARNING_RATE = 5e-4;

/** Mean losses in nats per labelled token. */
export interface FineTuning {
  readonly before: number;
  readonly after: number;
  /** of the micro-batch of each step */
  readonly losses: readonly number[];
}

/** One optimiser step for each training batch, from the new adapter, evaluated in the same precision. */
export async function fineTune(setup: PrecisionSetup, precision: Precision): Promise<FineTuning> {
  const { config, weights, adapter, threads, trainingBatches, heldOutBatches } = setup;
  const trainer = await createAdapterTrainer({
    config,
    weights,
    adapter,
    precision,
    optimizer: adamW(),
    schedule: constantSchedule(LEARNING_RATE),
    ...(threads !== undefined && { threads }),
  });
  try {
    const before = await evaluate(trainer, heldOutBatches);
    const losses: number[] = [];
    for (const batch of trainingBatches) {
      const { loss, step, skipped } = await trainer.train([batch]);
      if (skipped) throw new Error(`${precision}: the gradient of step ${step} is not finite`);
      losses.push(loss);
    }
    return { before, after: await evaluate(trainer, heldOutBatches), losses };
  } finally {
    await trainer.dispose();
  }
}

/** Over all labelled tokens of all batches, each as much. */
async function evaluate(trainer: Trainer, batches: readonly SupervisedBatch[]): Promise<number> {
  let [total, count] = [0, 0];
  for (const batch of batches) {
    const labels = batch.labels.size;
    total += labels * (await trainer.evaluate(batch));
    count += labels;
  }
  return total / count;
}

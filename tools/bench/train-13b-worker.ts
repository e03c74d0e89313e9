// A process that makes training steps with random weights and prints one line of JSON: what they took, or where their time
// went. Argument: JSON of `SizeJob`. A process of its own, as it is its memory that is measured.
import { readFileSync } from "node:fs";
import { createAdapter, createAdapterTrainer, type SupervisedBatch, toSupervisedBatch } from "@flacuna/lora";
import { llamaParameterShapes } from "@flacuna/model";
import { adamW, constantSchedule } from "@flacuna/tensor";
import { profileStep } from "./profile-step.ts";
import type { SizeJob, SizeMeasurement, SizeProfile } from "./train-13b-job.ts";
import { readRandomWeights } from "./train-13b-weights.ts";

/** One position in so many is labelled, the last ones of each row: instructions are longer than their answers. */
const TOKENS_PER_LABEL = 4;

const job = JSON.parse(process.argv[2]!) as SizeJob;
const { config } = job;
const weights = await readRandomWeights(job.folder, config);
const lora = { targetModules: ["q_proj", "v_proj"], rank: 8, alpha: 16, dropout: 0 };
const adapter = createAdapter(llamaParameterShapes(config), lora, { seed: 1 });
const answer = job.profilePrefix === undefined ? await measure() : await profile(job.profilePrefix);
process.stdout.write(`${JSON.stringify(answer)}\n`);

async function measure(): Promise<SizeMeasurement> {
  const started = performance.now();
  const { threads, precision, recompute, savedActivations } = job;
  const trainer = await createAdapterTrainer({
    config,
    weights,
    adapter,
    precision,
    threads,
    recompute,
    savedActivations,
    optimizer: adamW(),
    schedule: constantSchedule(1e-4),
  });
  const loadSeconds = secondsSince(started);
  const readyBytes = memory("VmRSS");
  const loadPeakBytes = memory("VmHWM");
  const seconds: number[] = [];
  const losses: number[] = [];
  for (let step = 0; step <= job.steps; step++) {
    const batch = randomBatch(step);
    const before = performance.now();
    const { loss, skipped } = await trainer.train([batch]);
    if (skipped) throw new Error("an update was skipped: its gradient is not finite");
    if (step > 0) seconds.push(secondsSince(before));
    losses.push(loss);
  }
  const peakBytes = memory("VmHWM");
  await trainer.dispose();
  return { readyBytes, loadPeakBytes, peakBytes, loadSeconds, seconds, losses };
}

function profile(prefix: string): Promise<SizeProfile> {
  const { precision, threads, recompute, savedActivations } = job;
  const checkpoint = { config, weights };
  const settings = { precision, threads, recompute, savedActivations };
  return profileStep({ ...settings, checkpoint, adapter, prefix, batch: randomBatch(0) });
}

function randomBatch(step: number): SupervisedBatch {
  const { batchSize, length } = job;
  const inputIds = BigInt64Array.from({ length: batchSize * length }, (_, n) =>
    BigInt((n * 7919 + step * 104_729) % config.vocabSize),
  );
  const firstLabel = length - length / TOKENS_PER_LABEL;
  const labels = inputIds.map((id, n) => (n % length >= firstLabel ? id : -100n)) as BigInt64Array;
  return toSupervisedBatch({ inputIds, labels, batchSize, sequenceLength: length });
}

function memory(field: "VmHWM" | "VmRSS"): number {
  const line = new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"));
  return 1024 * Number(line?.[1] ?? Number.NaN);
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1e3;
}

// `pnpm bench precision`: gradients, logits and a small fine-tuning of a small model in every precision, against float32.
import { availableParallelism } from "node:os";
import { kernelStatus, type Precision } from "@flacuna/tensor";
import { describeMachine } from "./machine.ts";
import { fineTune } from "./precision-fine-tune.ts";
import { compareGradients, gradientsOf } from "./precision-gradient.ts";
import { logitsOf, relativeDistance } from "./precision-logits.ts";
import {
  type Compared,
  PRECISION_USAGE,
  type PrecisionBenchOptions,
  parsePrecisionOptions,
} from "./precision-options.ts";
import {
  formatPrecisions,
  type PrecisionResult,
  type Reference,
  summarizePrecisions,
} from "./precision-report.ts";
import { type PrecisionSetup, preparePrecision } from "./precision-setup.ts";

/** Runs the benchmark; the last line on standard output is JSON. */
export async function benchPrecision(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) return print([PRECISION_USAGE]);
  const options = parsePrecisionOptions(args, process.env);
  const started = performance.now();
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const setup = await preparePrecision(options, log);
  const { path: kernels = "none" } = await kernelStatus();
  print(describe(options, setup, kernels));
  const { reference, results } = await measure(setup, options.precisions);
  print([
    ...formatPrecisions(reference, results),
    `${((performance.now() - started) / 1e3).toFixed(0)} s in all`,
  ]);
  const summary = { ...summarizePrecisions(reference, results), kernels, isQuick: options.isQuick };
  print([JSON.stringify(summary)]);
}

const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n")}\n`);

function describe(options: PrecisionBenchOptions, setup: PrecisionSetup, kernels: string): string[] {
  const { processor } = describeMachine();
  const { length, batchSize, gradientBatches, steps, heldOutBatches } = options.amounts;
  const blocks = setup.gguf === undefined ? "none: int4 rounds the weights itself" : `of ${setup.gguf}`;
  return [
    `machine   ${processor}, ${setup.threads ?? availableParallelism()} threads, native kernels ${kernels}`,
    `data      ${setup.dataOrigin}`,
    `4 bits    ${blocks}`,
    `batches   ${batchSize}x${length}: ${gradientBatches} for gradients, ${steps} steps, ${heldOutBatches} held out`,
    ...(options.isQuick ? ["a quick run: to see that it works, not to measure"] : []),
    "",
  ];
}

async function measure(setup: PrecisionSetup, precisions: readonly Compared[]) {
  const expected = await measureOne(setup, "float32");
  const reference: Reference = { losses: expected.losses, fineTuning: expected.fineTuning };
  const results: PrecisionResult[] = [];
  for (const precision of precisions) {
    const { losses, gradients, logits, fineTuning } = await measureOne(setup, precision);
    results.push({
      precision,
      losses,
      fineTuning,
      gradients: gradients.map((each, index) => compareGradients(each, expected.gradients[index]!)),
      logitsDistance: logits && relativeDistance(logits, expected.logits!),
    });
  }
  return { reference, results };
}

async function measureOne(setup: PrecisionSetup, precision: Precision) {
  const note = (what: string): void => setup.log(`${precision}: ${what}`);
  note("gradients");
  const each = await gradientsOf(setup, precision);
  note("logits");
  const logits = precision === "int8" ? undefined : await logitsOf(setup, precision);
  note("fine-tuning");
  const fineTuning = await fineTune(setup, precision);
  return {
    losses: each.map(({ loss }) => loss),
    gradients: each.map(({ gradient }) => gradient),
    logits,
    fineTuning,
  };
}

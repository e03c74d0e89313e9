// `pnpm bench train`: fine-tuning of a small model with LoRA, ours against PyTorch with transformers and PEFT.
import { type BenchSetup, loadOurs, withSetup } from "./bench-setup.ts";
import { measureCurves } from "./loss-curve.ts";
import { measurePeaks } from "./machine.ts";
import { parseOptions, USAGE } from "./options.ts";
import { shapedBatches, tryPeer } from "./peer-trials.ts";
import type { OperatorTime } from "./profile-step.ts";
import type { PeerSettings } from "./protocol.ts";
import { measureRealData } from "./real-data.ts";
import { measureSpeed, type SpeedResult } from "./speed.ts";
import {
  formatCurves,
  formatHeader,
  formatOperators,
  formatPeaks,
  formatReal,
  formatSpeed,
} from "./train-report.ts";
import { type TrainBenchHeader, type TrainBenchResults, toSummary } from "./train-summary.ts";

/** Runs the parts that are asked for; the last line on standard output is JSON. */
export async function benchTrain(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const options = parseOptions(args, process.env);
  const started = performance.now();
  const [header, results] = await withSetup(options, measure);
  const seconds = (performance.now() - started) / 1e3;
  print([`${seconds.toFixed(0)} s in all`]);
  process.stdout.write(`${JSON.stringify(toSummary(header, results))}\n`);
}

/** A section of the report, as soon as it is known. */
const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n")}\n\n`);

async function measure(setup: BenchSetup): Promise<[TrainBenchHeader, TrainBenchResults]> {
  const { options, training, precision, precisions, versions, dataOrigin } = setup;
  const { threads } = training;
  const { parts, isQuick } = options;
  const header = {
    machine: setup.machine,
    versions,
    dataOrigin,
    precision,
    precisions,
    threads,
    isQuick,
  };
  print(formatHeader(header));
  const peaks = parts.has("machine") ? measurePeaks(threads, setup.scratch, setup.log) : undefined;
  if (peaks) print(formatPeaks(peaks));
  const operators = parts.has("profile") ? await profile(setup) : undefined;
  if (operators) print(formatOperators(operators, peaks));
  const speeds = await measureSpeeds(setup);
  const curves = parts.has("curve") ? await measureCurves(setup) : undefined;
  if (curves) print(formatCurves(curves));
  const real = parts.has("real")
    ? await measureRealData(setup, await bestSettings(setup, speeds))
    : undefined;
  if (real) print(formatReal(real));
  return [header, { speeds, hasSpeed: parts.has("speed"), peaks, operators, curves, real }];
}

/** Memory comes with speed; memory alone needs one turn of each side. */
async function measureSpeeds(setup: BenchSetup): Promise<SpeedResult[]> {
  const { parts, shapes, amounts, compile } = setup.options;
  const hasSpeed = parts.has("speed");
  if (!hasSpeed && !parts.has("memory")) return [];
  const results: SpeedResult[] = [];
  for (const shape of shapes) {
    const turns = hasSpeed ? { rounds: amounts.rounds, compile } : { rounds: 1, compile: false };
    const result = await measureSpeed(setup, shape, turns);
    print(formatSpeed(result, hasSpeed));
    results.push(result);
  }
  return results;
}

/** The peer's best at the first shape. */
async function bestSettings(setup: BenchSetup, speeds: readonly SpeedResult[]): Promise<PeerSettings> {
  return speeds[0]?.best ?? (await tryPeer(setup, setup.options.shapes[0]!))[0]!.settings;
}

async function profile(setup: BenchSetup): Promise<readonly OperatorTime[]> {
  setup.log("profiling one step of ours");
  const worker = await loadOurs(setup, setup.precision);
  try {
    const [batch] = shapedBatches(setup, setup.options.shapes[0]!, 1);
    const answer = await worker.ask({
      command: "profile",
      batch: batch!,
      prefix: `${setup.scratch}/profile`,
    });
    return (answer as { readonly operators: readonly OperatorTime[] }).operators;
  } finally {
    await worker.stop();
  }
}

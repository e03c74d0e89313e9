// `pnpm bench train-13b`: memory and time of LoRA steps of a model far larger than a workstation's memory in float32.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describeMachine, measurePeaks, type Peaks } from "./machine.ts";
import { withScratchFolder } from "./scratch-folder.ts";
import { median, significant } from "./statistics.ts";
import type { SizeCase, SizeJob, SizeMeasurement, SizeProfile } from "./train-13b-job.ts";
import { parseSizeOptions, type SizeOptions, USAGE } from "./train-13b-options.ts";
import { SHAPES } from "./train-13b-shapes.ts";
import { measureTable } from "./train-13b-table.ts";
import { type SmallPrecision, weightBytes, writeRandomWeights } from "./train-13b-weights.ts";
import { formatOperators, formatPeaks } from "./train-report.ts";

const WORKER = fileURLToPath(new URL("train-13b-worker.ts", import.meta.url));
const GIB = 2 ** 30;

const log = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n")}\n\n`);

/** Measures each precision, or the table; the last line on standard output is JSON. */
export async function benchSize(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const options = parseSizeOptions(args);
  print(formatMachine(options));
  const summary = options.isTable
    ? await measureTable(options, (each) => measureCase(each, options, { steps: 1 }), print)
    : await withScratchFolder((scratch) => measurePrecisions(options, scratch));
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

async function measurePrecisions(options: SizeOptions, scratch: string): Promise<Record<string, unknown>> {
  const { shape, layers, length, batchSize, hasProfile } = options;
  const config = { ...SHAPES[shape], numHiddenLayers: layers };
  const peaks = hasProfile ? measurePeaks(options.threads, scratch, log) : undefined;
  if (peaks !== undefined) print(formatPeaks(peaks));
  const summary: Record<string, unknown> = {};
  for (const precision of options.precisions) {
    const each = { config, precision, length, batchSize };
    const measured = await measureCase(each, options, options);
    print(formatCase(`${shape}, ${layers} layers, ${batchSize}x${length}`, each, measured));
    if (hasProfile) await printProfile(each, options, scratch, peaks);
    summary[precision] = {
      gib: significant(measured.peakBytes / GIB),
      seconds: significant(median(measured.seconds)),
    };
  }
  return summary;
}

/** Writes the weights that are missing, then lets a process of its own make the steps. */
async function measureCase(
  each: SizeCase,
  options: SizeOptions,
  { steps }: { readonly steps: number },
): Promise<SizeMeasurement> {
  const folder = await prepare(each, options);
  return (await work({ ...each, ...settingsOf(options), folder, steps })) as SizeMeasurement;
}

async function printProfile(
  each: SizeCase,
  options: SizeOptions,
  scratch: string,
  peaks: Peaks | undefined,
): Promise<void> {
  const folder = await prepare(each, options);
  const profilePrefix = join(scratch, "profile");
  const job = { ...each, ...settingsOf(options), folder, steps: 1, profilePrefix };
  const { operators } = (await work(job)) as SizeProfile;
  print(formatOperators(operators, peaks));
}

async function prepare({ config, precision }: SizeCase, { cache }: SizeOptions): Promise<string> {
  const folder = weightsFolder(cache, config.hiddenSize, precision);
  await writeRandomWeights(folder, config, precision, log);
  return folder;
}

/** Models of one width but of another depth share their layers. */
const weightsFolder = (cache: string, width: number, precision: SmallPrecision): string =>
  join(cache, `${width}-${precision}`);

const settingsOf = ({ threads, recompute, savedActivations }: SizeOptions) => ({
  threads,
  recompute,
  savedActivations,
});

async function work(job: SizeJob): Promise<unknown> {
  const args = [...process.execArgv, WORKER, JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout);
}

function formatMachine({ threads, recompute, savedActivations, isQuick }: SizeOptions): string[] {
  const machine = describeMachine();
  return [
    `machine   ${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB, load ${machine.load.toFixed(2)}`,
    `          ${machine.instructionSets.join(" ")}`,
    `settings  ${threads} threads, rank 8 on q and v, ${recompute ? "layers recomputed" : "nothing recomputed"}, ` +
      `activations kept in ${savedActivations}`,
    ...(isQuick ? ["a quick run: to see that it works, not to measure"] : []),
  ];
}

function formatCase(title: string, { config, precision }: SizeCase, measured: SizeMeasurement): string[] {
  const gib = (bytes: number): string => `${(bytes / GIB).toFixed(2)} GiB`;
  const { readyBytes, loadPeakBytes, peakBytes, loadSeconds, seconds, losses } = measured;
  const held = weightBytes(config, precision);
  return [
    `${precision}, ${title}`,
    `  weights            ${gib(held)}`,
    `  resident, ready    ${gib(readyBytes)} (${gib(loadPeakBytes)} at most while loading, ${loadSeconds.toFixed(0)} s)`,
    `  resident, at most  ${gib(peakBytes)} (VmHWM of a process that did nothing else)`,
    `  step               ${median(seconds).toFixed(2)} s (${seconds.map((each) => each.toFixed(2)).join(", ")} s)`,
    `  loss               ${losses.map((loss) => loss.toFixed(4)).join(", ")}`,
  ];
}

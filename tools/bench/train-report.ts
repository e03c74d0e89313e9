// The results of the training benchmark as lines for people, part by part. Measures nothing.
import type { Curve } from "./loss-curve.ts";
import type { Peaks } from "./machine.ts";
import { describeSettings } from "./peer-trials.ts";
import { type ProductWork, peakType } from "./product-work.ts";
import type { OperatorTime } from "./profile-step.ts";
import type { RealDataResult } from "./real-data.ts";
import type { Speed, SpeedResult } from "./speed.ts";
import { sum } from "./statistics.ts";
import type { TrainBenchHeader } from "./train-summary.ts";

const GIB = 2 ** 30;

/** Processes that want to run before the benchmark begins, over a minute. */
const BUSY = 0.5;

export function formatHeader(header: TrainBenchHeader): string[] {
  const { machine, versions, precision, precisions, threads } = header;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `machine   ${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB, load ${machine.load.toFixed(2)}`,
    `          ${machine.instructionSets.join(" ")}`,
    `versions  ${named.join(", ")}`,
    `data      ${header.dataOrigin}`,
    `ours      ${precision}, ${threads} threads (this build has ${precisions.join(", ")})`,
    ...(machine.load > BUSY ? ["other processes keep this machine busy: the figures are worth little"] : []),
    ...(header.isQuick ? ["a quick run: to see that it works, not to measure"] : []),
  ];
}

export function formatPeaks(peaks: Peaks): string[] {
  const rate = (value: number | null, unit: string) =>
    value === null ? "none" : `${value.toFixed(0)} ${unit}`;
  return [
    `peaks     int8 ${rate(peaks.int8, "GOP/s")}, bfloat16 ${rate(peaks.bfloat16, "GFLOP/s")} (${peaks.unit}), ` +
      `float32 ${rate(peaks.float32, "GFLOP/s")}, reading ${rate(peaks.readBytes, "GB/s")}`,
  ];
}

export function formatSpeed(
  { shape, trials, ours, peer, compiled, best }: SpeedResult,
  hasSpeed: boolean,
): string[] {
  const tried = trials.map(({ settings, tokensPerSecond }) =>
    row(["  tried", describeSettings(settings), rateText(tokensPerSecond)]),
  );
  const sides: [string, Speed | undefined][] = [
    ["ours", ours],
    [`peer, ${describeSettings(best)}`, peer],
    ["peer, the same compiled", compiled],
  ];
  return [
    `${shape.batchSize}x${shape.length}`,
    ...tried,
    ...sides.flatMap(([name, speed]) =>
      speed === undefined
        ? []
        : [
            row([
              "  by turns",
              name,
              hasSpeed ? rateText(speed.tokensPerSecond) : "",
              speed.peakBytes === undefined ? "" : `${(speed.peakBytes / GIB).toFixed(2)} GiB at most`,
              hasSpeed
                ? `warm-up ${speed.warmUpSeconds.toFixed(0)} s, others busy ${(100 * speed.othersBusy).toFixed(0)} %`
                : "",
            ]),
          ],
    ),
  ];
}

const WIDTHS = [12, 46, 16, 20];

const row = (cells: readonly string[]): string =>
  cells
    .map((cell, index) => cell.padEnd(WIDTHS[index] ?? 0))
    .join("")
    .trimEnd();

const rateText = (tokensPerSecond: number | undefined): string =>
  tokensPerSecond === undefined ? "failed" : `${tokensPerSecond.toFixed(0)} tokens/s`;

/** Kinds of operator that are shown one by one. */
const SHOWN_OPERATORS = 16;

export function formatOperators(operators: readonly OperatorTime[], peaks: Peaks | undefined): string[] {
  const step = sum(operators.map(({ seconds }) => seconds));
  const rest = operators.slice(SHOWN_OPERATORS);
  const restSeconds = sum(rest.map(({ seconds }) => seconds));
  return [
    `one step of ours by kind of operator, ${(1e3 * step).toFixed(0)} ms (loss and gradient; shares are of the peaks)`,
    ...operators.slice(0, SHOWN_OPERATORS).map((each) => formatOperator(each, step, peaks)),
    ...(rest.length > 0 ? [`  ${rest.length} other kinds ${(1e3 * restSeconds).toFixed(1)} ms`] : []),
  ];
}

function formatOperator(each: OperatorTime, step: number, peaks: Peaks | undefined): string {
  const { operator, count, seconds, work, bytes } = each;
  const ofPeak = (rate: number, peak: number | null | undefined) =>
    peak === null || peak === undefined ? "" : ` (${((100 * rate) / peak).toFixed(0)} %)`;
  const traffic = bytes / 1e9 / seconds;
  return [
    `  ${operator}`.padEnd(36),
    `${count.toFixed(0)}x`.padStart(6),
    `${(1e3 * seconds).toFixed(1)} ms`.padStart(11),
    `${((100 * seconds) / step).toFixed(1)} %`.padStart(8),
    `${traffic.toFixed(1)} GB/s${ofPeak(traffic, peaks?.readBytes)}`.padStart(18),
    work === undefined ? "" : `  ${formatWork(work, seconds, peaks)}`,
  ].join("");
}

function formatWork({ type, operations }: ProductWork, seconds: number, peaks: Peaks | undefined): string {
  const rate = operations / 1e9 / seconds;
  const text = `${rate.toFixed(0)} GOP/s`;
  if (peaks === undefined) return text;
  const peak = peakType(type, peaks.unit);
  return peaks[peak] === null ? text : `${text} (${((100 * rate) / peaks[peak]).toFixed(0)} % of ${peak})`;
}

export function formatCurves(curves: readonly Curve[]): string[] {
  const part = (value: number) => `${(100 * value).toPrecision(2)} %`;
  return [
    `loss over ${curves[0]!.losses.length} steps, and how far it is from the first row's`,
    ...curves.map(({ name, losses, maxRelative, meanRelative, relativeOfMeans }) => {
      const ends = `${losses[0]!.toFixed(4)} … ${losses.at(-1)!.toFixed(4)} (${losses.length})`;
      const distance = `steps ${part(meanRelative)}, at most ${part(maxRelative)}; mean ${part(relativeOfMeans)}`;
      return `  ${name.padEnd(16)}${ends.padEnd(28)}${distance}`;
    }),
  ];
}

export function formatReal(real: RealDataResult): string[] {
  return [
    `${real.examples} examples of mixed length, ${real.tokens} tokens`,
    ...(["ours", "peer"] as const).map((side) => {
      const { layout, examplesPerSecond } = real[side];
      return `  ${side}, ${layout}: ${examplesPerSecond.toFixed(2)} examples/s`;
    }),
  ];
}

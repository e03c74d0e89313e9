// The results of the training benchmark as text for people and as one object for programs. Measures nothing.
import type { Curve } from "./loss-curve.ts";
import type { Machine, Peaks } from "./machine.ts";
import { describeSettings } from "./peer-trials.ts";
import { type ProductWork, peakType } from "./product-work.ts";
import type { OperatorTime } from "./profile-step.ts";
import type { RealDataResult } from "./real-data.ts";
import type { Speed, SpeedResult } from "./speed.ts";
import { significant, sum } from "./statistics.ts";

export interface TrainBenchResults {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly dataOrigin: string;
  readonly precision: string;
  readonly precisions: readonly string[];
  readonly threads: number;
  readonly isQuick: boolean;
  readonly speeds: readonly SpeedResult[];
  /** false when `speeds` were measured for memory alone */
  readonly hasSpeed: boolean;
  readonly peaks?: Peaks;
  readonly operators?: readonly OperatorTime[];
  readonly curves?: readonly Curve[];
  readonly real?: RealDataResult;
}

const GIB = 2 ** 30;

/** Processes that want to run before the benchmark begins, over a minute. */
const BUSY = 0.5;

/** The figures by the names that the project's targets have; null for what was not measured. */
export function toSummary(results: TrainBenchResults): Record<string, unknown> {
  const { speeds, hasSpeed, real, curves, machine, peaks, operators } = results;
  const ratio = (other: (speed: SpeedResult) => Speed | undefined) =>
    speeds.map((speed) => {
      const theirs = other(speed);
      return theirs === undefined ? null : significant(speed.ours.tokensPerSecond / theirs.tokensPerSecond);
    });
  const memory = speeds.flatMap(({ ours, peer }) =>
    ours.peakBytes === undefined || peer.peakBytes === undefined ? [] : [ours.peakBytes / peer.peakBytes],
  );
  const distance = (name: string) => {
    const curve = curves?.find((each) => each.name === name);
    return curve === undefined ? null : significant(curve.maxRelative);
  };
  return {
    tokensPerSecondRatio: hasSpeed ? ratio(({ peer }) => peer) : null,
    compiledRatio: hasSpeed ? ratio(({ compiled }) => compiled) : null,
    realDataRatio:
      real === undefined ? null : significant(real.ours.examplesPerSecond / real.peer.examplesPerSecond),
    peakMemoryRatio: memory.length === 0 ? null : significant(Math.max(...memory)),
    lossCurve: { float32: distance("float32"), int8: distance("int8") },
    precision: results.precision,
    isQuick: results.isQuick,
    data: results.dataOrigin,
    machine: { ...machine, threads: results.threads },
    versions: results.versions,
    speeds: speeds.map(({ shape, best, ours, peer, compiled }) => ({
      ...shape,
      peerSettings: best,
      ours: speedSummary(ours),
      peer: speedSummary(peer),
      compiled: compiled === undefined ? null : speedSummary(compiled),
    })),
    real: real ?? null,
    peaks: peaks ?? null,
    achieved: peaks === undefined || operators === undefined ? null : achieved(operators, peaks),
  };
}

const speedSummary = ({ tokensPerSecond, secondsPerStep, peakBytes, othersBusy }: Speed) => ({
  tokensPerSecond: significant(tokensPerSecond),
  secondsPerStep: secondsPerStep.map((each) => significant(each)),
  peakGib: peakBytes === undefined ? null : significant(peakBytes / GIB),
  othersBusy: significant(othersBusy, 2),
});

/** Rate of all products of a type in the whole step, as a share of that type's peak; likewise of bytes. */
function achieved(operators: readonly OperatorTime[], peaks: Peaks): Record<string, number> {
  const step = sum(operators.map(({ seconds }) => seconds));
  const shares: Record<string, number> = {
    readBytes: sum(operators.map(({ bytes }) => bytes)) / 1e9 / step / peaks.readBytes,
  };
  for (const type of ["int8", "bfloat16", "float32"] as const) {
    const works = operators.flatMap(({ work }) =>
      work !== undefined && peakType(work.type, peaks.unit) === type ? [work] : [],
    );
    const peak = peaks[type];
    if (works.length > 0 && peak !== null)
      shares[type] = sum(works.map(({ operations }) => operations)) / 1e9 / step / peak;
  }
  return Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, significant(share)]));
}

/** Everything, for people. */
export function formatReport(results: TrainBenchResults): string {
  const { machine, versions, speeds, hasSpeed, peaks, operators, curves, real } = results;
  return [
    [
      `machine   ${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB, load ${machine.load.toFixed(2)}`,
      `          ${machine.instructionSets.join(" ")}`,
      `versions  ${Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", ")}`,
      `data      ${results.dataOrigin}`,
      `ours      ${results.precision}, ${results.threads} threads (this build has ${results.precisions.join(", ")})`,
      ...(machine.load > BUSY
        ? ["other processes keep this machine busy: the figures are worth little"]
        : []),
      ...(results.isQuick ? ["a quick run: to see that it works, not to measure"] : []),
    ],
    peaks && formatPeaks(peaks),
    ...speeds.map((speed) => formatSpeed(speed, hasSpeed)),
    operators && formatOperators(operators, peaks),
    curves && formatCurves(curves),
    real && formatReal(real),
  ]
    .filter((section) => section !== undefined)
    .map((section) => section.join("\n"))
    .join("\n\n");
}

function formatPeaks(peaks: Peaks): string[] {
  const rate = (value: number | null, unit: string) =>
    value === null ? "none" : `${value.toFixed(0)} ${unit}`;
  return [
    `peaks     int8 ${rate(peaks.int8, "GOP/s")}, bfloat16 ${rate(peaks.bfloat16, "GFLOP/s")} (${peaks.unit}), ` +
      `float32 ${rate(peaks.float32, "GFLOP/s")}, reading ${rate(peaks.readBytes, "GB/s")}`,
  ];
}

function formatSpeed(
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

function formatOperators(operators: readonly OperatorTime[], peaks: Peaks | undefined): string[] {
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

function formatCurves(curves: readonly Curve[]): string[] {
  return [
    `loss over ${curves[0]!.losses.length} steps, and how far it is from the first row's`,
    ...curves.map(({ name, losses, maxRelative, meanRelative }) => {
      const ends = `${losses[0]!.toFixed(4)} … ${losses.at(-1)!.toFixed(4)}`;
      return `  ${name.padEnd(16)}${ends.padEnd(22)}most ${maxRelative.toExponential(1)}, mean ${meanRelative.toExponential(1)}`;
    }),
  ];
}

function formatReal(real: RealDataResult): string[] {
  return [
    `${real.examples} examples of mixed length, ${real.tokens} tokens`,
    ...(["ours", "peer"] as const).map((side) => {
      const { layout, examplesPerSecond } = real[side];
      return `  ${side}, ${layout}: ${examplesPerSecond.toFixed(2)} examples/s`;
    }),
  ];
}

// The results of the training benchmark as one object for programs, by the names that the project's targets have.
import type { Curve } from "./loss-curve.ts";
import type { Machine, Peaks } from "./machine.ts";
import { peakType } from "./product-work.ts";
import type { OperatorTime } from "./profile-step.ts";
import type { RealDataResult } from "./real-data.ts";
import type { Speed, SpeedResult } from "./speed.ts";
import { significant, sum } from "./statistics.ts";

/** What a run is about. */
export interface TrainBenchHeader {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly dataOrigin: string;
  readonly precision: string;
  readonly precisions: readonly string[];
  readonly threads: number;
  readonly isQuick: boolean;
}

/** What was measured; parts that were not asked for are absent. */
export interface TrainBenchResults {
  readonly speeds: readonly SpeedResult[];
  /** false when `speeds` were measured for memory alone */
  readonly hasSpeed: boolean;
  readonly peaks?: Peaks | undefined;
  readonly operators?: readonly OperatorTime[] | undefined;
  readonly curves?: readonly Curve[] | undefined;
  readonly real?: RealDataResult | undefined;
}

const GIB = 2 ** 30;

/** The figures by the names that the project's targets have; null for what was not measured. */
export function toSummary(header: TrainBenchHeader, results: TrainBenchResults): Record<string, unknown> {
  const { speeds, hasSpeed, real, curves, peaks, operators } = results;
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
    lossCurves: curves?.map(({ losses, ...distances }) => ({ steps: losses.length, ...distances })) ?? null,
    precision: header.precision,
    isQuick: header.isQuick,
    data: header.dataOrigin,
    machine: { ...header.machine, threads: header.threads },
    versions: header.versions,
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

// The results of the generation benchmark as lines for people, part by part. Measures nothing.
import type { Machine, Peaks } from "../machine.ts";
import type { Comparison } from "./compare.ts";
import { describeContender } from "./llama-trials.ts";
import type { PerplexityResult } from "./perplexity.ts";
import type { SideResult } from "./take-turns.ts";

const MIB = 2 ** 20;

/** Processes that want to run before the benchmark begins, over a minute. */
const BUSY = 0.5;

/** What a run is about. */
export interface BenchHeader {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly dataOrigin: string;
  readonly model: string;
  readonly threads: number;
  readonly isQuick: boolean;
}

export function formatBenchHeader(header: BenchHeader): string[] {
  const { machine, versions, dataOrigin, model, threads, isQuick } = header;
  return [
    `machine   ${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB, load ${machine.load.toFixed(2)}`,
    `          ${machine.instructionSets.join(" ")}`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
    `model     ${model}, ${threads} threads`,
    `data      ${dataOrigin}`,
    ...(machine.load > BUSY ? ["other processes keep this machine busy: the figures are worth little"] : []),
    ...(isQuick ? ["a quick run: to see that it works, not to measure"] : []),
  ];
}

export function formatReadPeak(peaks: Peaks): string[] {
  return [`reading   ${peaks.readBytes.toFixed(1)} GB/s, ${peaks.threads} threads`];
}

export function formatComparison({ workload, bits, ours, theirs, trials }: Comparison): string[] {
  return [
    `${workload.name}, ${bits} bits`,
    ...trials.map((trial) => row("  tried", describeContender(trial), rate(trial.tokensPerSecond))),
    ...[ours, ...theirs].map((side) =>
      row("  by turns", side.name, rate(side.tokensPerSecond), ...details(side)),
    ),
    `  ours ${(ours.tokensPerSecond / theirs[0]!.tokensPerSecond).toFixed(2)} times as fast`,
  ];
}

function details({ firstTokenSeconds, generatedPerSecond, peakBytes, othersBusy }: SideResult): string[] {
  return [
    ...(firstTokenSeconds === undefined ? [] : [`first token ${(1e3 * firstTokenSeconds).toFixed(0)} ms`]),
    ...(generatedPerSecond === undefined ? [] : [`${generatedPerSecond.toFixed(0)} new tokens/s`]),
    ...(peakBytes === undefined ? [] : [`${(peakBytes / MIB).toFixed(0)} MiB`]),
    ...(othersBusy > 0.01 ? [`others busy ${(100 * othersBusy).toFixed(0)} %`] : []),
  ];
}

export function formatReference(results: Readonly<Record<string, SideResult>>): string[] {
  return Object.entries(results).map(([workload, side]) =>
    row("reference", `${workload}, ${side.name}`, rate(side.tokensPerSecond), ...details(side)),
  );
}

const row = (kind: string, name: string, ...cells: readonly string[]): string =>
  `${kind.padEnd(12)}${name.padEnd(72)}${cells.join(", ")}`.trimEnd();

const rate = (tokensPerSecond: number | undefined): string =>
  tokensPerSecond === undefined ? "failed" : `${tokensPerSecond.toFixed(1)} tokens/s`;

export function formatPerplexity({ tokens, ours, llamaCpp }: PerplexityResult): string[] {
  return [
    `perplexity of ${tokens} tokens`,
    ...Object.entries(ours).map(([precision, value]) => row("  ours", precision, value.toFixed(4))),
    ...Object.entries(llamaCpp).map(([format, value]) => row("  llama.cpp", format, value.toFixed(4))),
  ];
}

// The results of the generation benchmark as one object for programs, by the names that the project's targets have.
import { type LlamaConfig, parameterCount } from "@flacuna/model";
import type { Peaks } from "../machine.ts";
import { significant } from "../statistics.ts";
import type { Comparison } from "./compare.ts";
import { describeContender } from "./llama-trials.ts";
import { BITS, type Bits } from "./options.ts";
import type { PerplexityResult } from "./perplexity.ts";
import type { BenchHeader } from "./report.ts";
import type { SideResult } from "./take-turns.ts";

/** What was measured; parts that were not asked for are absent. */
export interface GenerateBenchResults {
  readonly config: LlamaConfig;
  /** bytes of all tensors of the GGUF file */
  readonly ggufBytes: number;
  readonly comparisons: readonly Comparison[];
  readonly peaks: Peaks | undefined;
  readonly perplexity?: PerplexityResult | undefined;
  /** by the names of workloads */
  readonly transformersJs?: Readonly<Record<string, SideResult>> | undefined;
}

const GIB = 2 ** 30;

/** The figures by the names that the project's targets have; null for what was not measured. */
export function toGenerateSummary(
  header: BenchHeader,
  results: GenerateBenchResults,
): Record<string, unknown> {
  const { comparisons, perplexity, transformersJs } = results;
  const at = (name: string, bits: Bits = "8") =>
    comparisons.find((each) => each.workload.name === name && each.bits === bits);
  const speed = (name: string, bits: Bits) =>
    ratioOf(at(name, bits), ({ tokensPerSecond }) => tokensPerSecond);
  const speeds = (bits: Bits) => ({
    prefillRatio: [speed("prefill 512", bits), speed("prefill 2048", bits)],
    throughput8Ratio: speed("throughput 8", bits),
    throughput32Ratio: speed("throughput 32", bits),
  });
  return {
    decodeRatio: BITS.map((bits) => speed("decode", bits)),
    ...speeds("8"),
    fourBits: speeds("4"),
    generating8Ratio: ratioOf(at("throughput 8"), ({ generatedPerSecond }) => generatedPerSecond),
    generating32Ratio: ratioOf(at("throughput 32"), ({ generatedPerSecond }) => generatedPerSecond),
    firstTokenRatio: [firstToken(at("prefill 512")), firstToken(at("prefill 2048"))],
    memoryRatio: BITS.map((bits) => memory(at("prefill 2048", bits))),
    bandwidthShare: BITS.map((bits) => bandwidth(results, at("decode", bits), bits)),
    perplexity: perplexity ?? null,
    int8OverQ8: perplexity ? quotient(perplexity.ours.int8, perplexity.llamaCpp["q8_0"]) : null,
    int4OverFloat32: perplexity ? quotient(perplexity.ours.int4, perplexity.ours.float32) : null,
    transformersJs: transformersJs
      ? Object.fromEntries(Object.entries(transformersJs).map(([name, side]) => [name, summarize(side)]))
      : null,
    ...header,
    readGigabytesPerSecond: results.peaks ? significant(results.peaks.readBytes) : null,
    runs: comparisons.map(({ workload, bits, ours, theirs }) => ({
      ...workload,
      bits,
      ours: summarize(ours),
      theirs: theirs.map((side) => ({ ...summarize(side), settings: describeContender(side.contender) })),
    })),
  };
}

/** Ours over the best of theirs. */
function ratioOf(
  comparison: Comparison | undefined,
  rate: (side: SideResult) => number | undefined,
): number | null {
  const theirs = (comparison?.theirs ?? []).flatMap((side) => rate(side) ?? []);
  return comparison === undefined || theirs.length === 0
    ? null
    : quotient(rate(comparison.ours), Math.max(...theirs));
}

/** Their time to the first token over ours: llama.cpp's own benchmarks choose no token, and have none. */
function firstToken(comparison: Comparison | undefined): number | null {
  const theirs = (comparison?.theirs ?? []).flatMap(({ firstTokenSeconds }) => firstTokenSeconds ?? []);
  return theirs.length === 0 ? null : quotient(Math.min(...theirs), comparison!.ours.firstTokenSeconds);
}

/** Ours over the least of theirs. */
function memory(comparison: Comparison | undefined): number | null {
  const theirs = (comparison?.theirs ?? []).flatMap(({ peakBytes }) => peakBytes ?? []);
  return theirs.length === 0 ? null : quotient(comparison!.ours.peakBytes, Math.min(...theirs));
}

/** Bytes of weights that decoding reads in a second over what the machine reads at most; the cache is not counted. */
function bandwidth(
  { config, ggufBytes, peaks }: GenerateBenchResults,
  comparison: Comparison | undefined,
  bits: Bits,
): number | null {
  if (comparison === undefined || peaks === undefined) return null;
  const bytes = bits === "8" ? parameterCount(config) : ggufBytes;
  return significant((bytes * comparison.ours.tokensPerSecond) / (1e9 * peaks.readBytes), 3);
}

const quotient = (a: number | undefined, b: number | undefined): number | null =>
  a === undefined || b === undefined ? null : significant(a / b);

const summarize = (side: SideResult) => ({
  tokensPerSecond: significant(side.tokensPerSecond),
  turns: side.turns.map((each) => significant(each)),
  firstTokenMs: side.firstTokenSeconds === undefined ? null : significant(1e3 * side.firstTokenSeconds),
  generatedPerSecond: side.generatedPerSecond === undefined ? null : significant(side.generatedPerSecond),
  peakGib: side.peakBytes === undefined ? null : significant(side.peakBytes / GIB, 3),
  othersBusy: significant(side.othersBusy, 2),
});

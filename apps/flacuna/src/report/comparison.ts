// Our two models beside the paper's, row by row: the one place where differences and their errors are computed.
import { BENCHMARK_NAMES, type BenchmarkName, FEW_SHOT_ROWS } from "../paper.ts";
import type { BenchmarkScore, Report } from "./report-schema.ts";

/** A difference in percentage points, fine-tuned minus base. */
export interface ScoreDifference {
  readonly points: number;
  readonly stderr: number;
  /** Whether `stderr` comes from the differences per item; else it treats the two scores as independent. */
  readonly isPaired: boolean;
  /** Whether zero lies within 1.96 standard errors: the data do not tell the two models apart. */
  readonly isWithinError: boolean;
}

/** One line of the table. */
export interface ComparisonRow {
  readonly benchmark: BenchmarkName | "average";
  readonly label: string;
  readonly base?: BenchmarkScore;
  readonly fineTuned?: BenchmarkScore;
  readonly difference?: ScoreDifference;
  readonly paper: { readonly base: number; readonly fineTuned: number; readonly difference: number };
}

/** Standard errors either side of a score that make a 95 % interval under the normal approximation. */
export const INTERVAL_STDERRS = 1.96;

const LABELS: Readonly<Record<BenchmarkName | "average", string>> = {
  mmlu: "MMLU",
  bbh: "BBH",
  drop: "DROP",
  crass: "CRASS",
  humaneval: "HumanEval",
  average: "Average",
};

/** Every benchmark in the paper's order and then the average; what was not run has no scores of ours. */
export function compareWithPaper(report: Report): ComparisonRow[] {
  return [...BENCHMARK_NAMES, "average" as const].map((benchmark) => {
    const base = report.models.vicuna[benchmark];
    const fineTuned = report.models.flacuna[benchmark];
    const paperBase = FEW_SHOT_ROWS.vicuna.scores[benchmark];
    const paperFineTuned = FEW_SHOT_ROWS.flacuna.scores[benchmark];
    return {
      benchmark,
      label: LABELS[benchmark],
      ...(base && { base }),
      ...(fineTuned && { fineTuned }),
      ...(base && fineTuned && { difference: subtract(base, fineTuned, report.pairedStderr?.[benchmark]) }),
      paper: { base: paperBase, fineTuned: paperFineTuned, difference: paperFineTuned - paperBase },
    };
  });
}

/** A benchmark's name as people write it. */
export function benchmarkLabel(benchmark: string): string {
  return (LABELS as Readonly<Record<string, string>>)[benchmark] ?? benchmark;
}

function subtract(base: BenchmarkScore, fineTuned: BenchmarkScore, paired?: number): ScoreDifference {
  const points = fineTuned.score - base.score;
  const stderr = paired ?? Math.hypot(base.stderr, fineTuned.stderr);
  const isWithinError = Math.abs(points) <= INTERVAL_STDERRS * stderr;
  return { points, stderr, isPaired: paired !== undefined, isWithinError };
}

// The sentences every form of the report carries below its table, so that no number is read for more than it is.
import { FEW_SHOT_ROWS, PAPER } from "../paper.ts";
import { type ComparisonRow, INTERVAL_STDERRS } from "./comparison.ts";
import { formatCount } from "./number-text.ts";
import type { Report } from "./report-schema.ts";

/** What the numbers mean and do not mean, then the report's own notes. */
export function collectRemarks(report: Report, rows: readonly ComparisonRow[]): string[] {
  const { name, parameterCount } = report.baseModel;
  const differences = rows.flatMap((row) => row.difference ?? []);
  const isPaired = differences.length > 0 && differences.every((difference) => difference.isPaired);
  const scores = rows.flatMap((row) => [row.base, row.fineTuned]);
  const missing = rows.filter((row) => row.base === undefined || row.fineTuned === undefined);
  return [
    `Our base is ${name} (${formatCount(parameterCount)} parameters); the paper's rows are ${FEW_SHOT_ROWS.vicuna.model} and ${FEW_SHOT_ROWS.flacuna.model} ${FEW_SHOT_ROWS.flacuna.parameters} (${PAPER.url}, Table 2).`,
    "Scores are percentages; ± is one standard error; n is the number of items scored.",
    isPaired
      ? "The error of a difference comes from the differences on the same items."
      : "The error of a difference takes the two scores as independent unless the same items were compared pairwise; for scores of the same items that is usually too large.",
    `A difference is marked "within error" when zero lies within ${INTERVAL_STDERRS} standard errors of it.`,
    ...(scores.some((score) => score?.stderr === 0)
      ? ["A standard error of 0 means that every item had the same outcome, not that the score is certain."]
      : []),
    ...(missing.length > 0
      ? [`Not scored for both models in this run: ${missing.map((row) => row.label).join(", ")}.`]
      : []),
    ...report.notes,
  ];
}

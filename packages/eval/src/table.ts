// Results and comparisons as tables of text; percentages with one decimal, standard errors beside them. Nothing prints.

import type { Comparison, ComparisonRow } from "./compare.ts";
import type { Estimate } from "./metrics/accuracy.ts";
import type { EvaluationResult } from "./results.ts";

/** `text` aligns columns with spaces, `markdown` is a GitHub table. */
export type TableFormat = "text" | "markdown";

const NAMES: Readonly<Record<string, string>> = {
  mmlu: "MMLU",
  bbh: "BBH",
  drop: "DROP",
  crass: "CRASS",
  humaneval: "HumanEval",
  average: "Average",
};

/** One model: a row per task and one for the average. */
export function formatResult({ tasks, average }: EvaluationResult, format: TableFormat = "text"): string {
  const head = ["Task", "Score", "SE", "n", "Shots"];
  const rows = tasks.map((task) => [
    nameOf(task.task),
    ...scoreCells(task),
    String(task.n),
    String(task.shots),
  ]);
  return formatTable([head, ...rows, [nameOf("average"), ...scoreCells(average), "", ""]], format);
}

/** Two models: a row per task and one for the average, each score with its standard error, and the difference with its own. */
export function formatComparison(comparison: Comparison, format: TableFormat = "text"): string {
  const head = ["Task", comparison.base, "SE", comparison.fineTuned, "SE", "Difference", "SE", "n"];
  const rows = comparison.tasks.map((row) => [...comparisonCells(row), countCell(row)]);
  return formatTable([head, ...rows, [...comparisonCells(comparison.average), ""]], format);
}

function comparisonCells({
  name,
  base,
  fineTuned,
  difference,
  differenceStandardError,
}: ComparisonRow): string[] {
  const sign = difference >= 0 ? "+" : "";
  const change = [`${sign}${percent(difference)}`, percent(differenceStandardError)];
  return [nameOf(name), ...scoreCells(base), ...scoreCells(fineTuned), ...change];
}

function countCell({ base, fineTuned }: ComparisonRow): string {
  return base.n === fineTuned.n ? String(base.n) : `${base.n} / ${fineTuned.n}`;
}

function scoreCells({ score, standardError }: Estimate): [string, string] {
  return [percent(score), percent(standardError)];
}

function percent(share: number | undefined): string {
  return share === undefined || !Number.isFinite(share) ? "–" : (share * 100).toFixed(1);
}

function nameOf(task: string): string {
  return NAMES[task] ?? task;
}

/** The first row is the head; the first column is aligned left, the others right. */
function formatTable(rows: readonly (readonly string[])[], format: TableFormat): string {
  if (format === "markdown") {
    const [head = [], ...body] = rows;
    const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
    return [head, rule, ...body].map((cells) => `| ${cells.map(escapeCell).join(" | ")} |`).join("\n");
  }
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const align = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((cells) => cells.map(align).join("  ").trimEnd()).join("\n");
}

function escapeCell(cell: string): string {
  return cell.replaceAll("|", "\\|");
}

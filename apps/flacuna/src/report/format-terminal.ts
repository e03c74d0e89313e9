// The table at the end of `reproduce`: aligned text, with colour only where the caller says it is a terminal.
import { type ComparisonRow, compareWithPaper } from "./comparison.ts";
import { makePrintable } from "./html.ts";
import {
  formatDifference,
  formatItemCount,
  formatPoints,
  formatScore,
  formatScoreWithError,
} from "./number-text.ts";
import { collectRemarks } from "./remarks.ts";
import type { Report } from "./report-schema.ts";

/** How the table is drawn. */
export interface TerminalOptions {
  /** Bold heads and dimmed remarks; pass `process.stdout.isTTY`. Default: false. */
  readonly isTty?: boolean;
}

const HEADS = ["", "base", "fine-tuned", "difference", "", "n", "paper: base", "tuned", "diff."];
/** Columns of words; the others are numbers and stand to the right. */
const TEXT_COLUMNS = new Set([0, 4]);
const BOLD = 1;
const DIM = 2;

/** The comparison as lines of text, ending with the remarks and a newline. */
export function formatTerminal(report: Report, { isTty = false }: TerminalOptions = {}): string {
  const style = (text: string, code: number) => (isTty ? `\u001b[${code}m${text}\u001b[0m` : text);
  const rows = compareWithPaper(report);
  const cells = [HEADS, ...rows.map(toCells)];
  const widths = HEADS.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const align = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        TEXT_COLUMNS.has(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ");
  const rule = "─".repeat(align(HEADS).length);
  const [head, ...body] = cells.map(align);
  const average = body.pop()!;
  const remarks = collectRemarks(report, rows).map((remark) => style(makePrintable(remark), DIM));
  return [style(head!, BOLD), rule, ...body, rule, style(average, BOLD), "", ...remarks, ""].join("\n");
}

function toCells({ label, base, fineTuned, difference, paper }: ComparisonRow): string[] {
  return [
    label,
    formatScoreWithError(base),
    formatScoreWithError(fineTuned),
    formatDifference(difference),
    difference?.isWithinError ? "within error" : "",
    formatItemCount(base, fineTuned),
    formatScore(paper.base),
    formatScore(paper.fineTuned),
    formatPoints(paper.difference),
  ];
}

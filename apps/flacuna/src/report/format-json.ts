// The report for programs: everything in it, and the comparison with the paper as computed.
import { FEW_SHOT_ROWS, PAPER, ZERO_SHOT_ROWS } from "../paper.ts";
import { compareWithPaper } from "./comparison.ts";
import type { Report } from "./report-schema.ts";

/** `report.json`: the report itself, `comparison` row by row, and the published rows it was compared with. */
export function formatJson(report: Report): string {
  const published = { paper: PAPER, fewShot: FEW_SHOT_ROWS, zeroShot: ZERO_SHOT_ROWS };
  return `${JSON.stringify({ ...report, comparison: compareWithPaper(report), published }, null, 2)}\n`;
}

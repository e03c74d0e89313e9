// The report as Markdown: what a README or a pull request can hold. Charts are left to the HTML.
import { FEW_SHOT_COUNTS, FEW_SHOT_ROWS, PAPER, ZERO_SHOT_ROWS } from "../paper.ts";
import { type ComparisonRow, compareWithPaper } from "./comparison.ts";
import { flattenSettings } from "./flatten.ts";
import { makePrintable } from "./html.ts";
import {
  ABSENT,
  formatCount,
  formatDifference,
  formatItemCount,
  formatPoints,
  formatQuantity,
  formatScore,
  formatScoreWithError,
  formatSeconds,
} from "./number-text.ts";
import { collectRemarks } from "./remarks.ts";
import type { AnswerSample, HeldOutLoss, Report } from "./report-schema.ts";

/** `report.md`: tables of everything, then the samples; whatever came from data is escaped. */
export function formatMarkdown(report: Report): string {
  const rows = compareWithPaper(report);
  const sections = [
    `# Reproduction of ${PAPER.title}`,
    `Preset ${escapeMarkdown(report.preset)}, ${escapeMarkdown(report.createdAt)}. Base model: ${escapeMarkdown(report.baseModel.name)}, ${formatCount(report.baseModel.parameterCount)} parameters.`,
    "## Results",
    comparisonTable(rows),
    collectRemarks(report, rows)
      .map((remark) => `- ${escapeMarkdown(remark)}`)
      .join("\n"),
    "## Published rows",
    publishedTable(),
    "## Held-out loss",
    heldOutTable(report.training.heldOut),
    "## Training",
    trainingSummary(report),
    "## Data",
    dataTable(report),
    "## Time",
    table(
      ["stage", "time"],
      report.timings.map(({ stage, seconds, isReused }) => [
        stage,
        `${formatSeconds(seconds)}${isReused ? ", result reused" : ""}`,
      ]),
    ),
    "## Sample answers",
    report.samples.length === 0 ? "None were kept." : report.samples.map(sampleSection).join("\n\n"),
    "## Settings",
    table(["setting", "value"], flattenSettings(report.settings)),
    "## Versions",
    table(["part", "version"], Object.entries(report.versions)),
    "## Hashes",
    table(["artefact", "hash"], Object.entries(report.hashes)),
  ];
  return `${sections.join("\n\n")}\n`;
}

function comparisonTable(rows: readonly ComparisonRow[]): string {
  const heads = [
    "benchmark",
    "base",
    "fine-tuned",
    "difference",
    "n",
    "paper: Vicuna",
    "Flacuna",
    "difference",
  ];
  return table(
    heads,
    rows.map(({ label, base, fineTuned, difference, paper }) => [
      label,
      formatScoreWithError(base),
      formatScoreWithError(fineTuned),
      `${formatDifference(difference)}${difference?.isWithinError ? " (within error)" : ""}`,
      formatItemCount(base, fineTuned),
      formatScore(paper.base),
      formatScore(paper.fineTuned),
      formatPoints(paper.difference),
    ]),
  );
}

function publishedTable(): string {
  const columns = ["mmlu", "bbh", "drop", "crass", "humaneval", "average"] as const;
  const toRow = (
    kind: string,
    row: { model: string; parameters: string; scores: object; source: string },
  ) => [
    `${row.model} ${row.parameters}`,
    kind,
    ...columns.map((column) => {
      const score = (row.scores as Partial<Record<string, number>>)[column];
      return score === undefined ? ABSENT : formatScore(score);
    }),
    row.source,
  ];
  const fewShot = `few-shot (${Object.values(FEW_SHOT_COUNTS).join("/")})`;
  return table(
    ["model", "prompting", "MMLU", "BBH", "DROP", "CRASS", "HumanEval", "average", "source"],
    [
      ...Object.values(FEW_SHOT_ROWS).map((row) => toRow(fewShot, row)),
      ...Object.values(ZERO_SHOT_ROWS).map((row) => toRow("zero-shot", row)),
    ],
  );
}

function heldOutTable({ flan, chat }: Report["training"]["heldOut"]): string {
  const toRow = (name: string, loss: HeldOutLoss | undefined) =>
    loss === undefined
      ? [name, ABSENT, ABSENT, ABSENT]
      : [name, formatQuantity(loss.before), formatQuantity(loss.after), formatCount(loss.n)];
  return table(
    ["records not trained on", "before, nats per token", "after", "n"],
    [toRow("FLAN split", flan), toRow("chat set", chat)],
  );
}

function trainingSummary({ training, baseModel }: Report): string {
  const { curve, trainableParameterCount } = training;
  const [first, last] = [curve[0], curve.at(-1)];
  if (first === undefined || last === undefined) return "No training steps were recorded.";
  const trained =
    trainableParameterCount === undefined
      ? ""
      : ` ${formatCount(trainableParameterCount)} parameters were trained (${((100 * trainableParameterCount) / baseModel.parameterCount).toFixed(3)} % of the model's).`;
  return `Training loss went from ${formatQuantity(first.loss)} at step ${first.step} to ${formatQuantity(last.loss)} at step ${last.step}, in nats per token.${trained}`;
}

function dataTable({ data }: Report): string {
  return table(
    ["component", "trained on", "left out", "cut", "in FLAN-MINI"],
    data.components.map(({ name, count, dropped, truncated, publishedCount }) => [
      name,
      formatCount(count),
      formatCount(dropped),
      formatCount(truncated),
      publishedCount === undefined ? ABSENT : formatCount(publishedCount),
    ]),
  );
}

function sampleSection(sample: AnswerSample, index: number): string {
  const verdict = (isCorrect: boolean | undefined) =>
    isCorrect === undefined ? "" : isCorrect ? " (correct)" : " (wrong)";
  return [
    `### ${index + 1}. ${escapeMarkdown(sample.benchmark)}`,
    "Prompt:",
    fence(sample.prompt),
    `Before${verdict(sample.isBeforeCorrect)}:`,
    fence(sample.before),
    `After${verdict(sample.isAfterCorrect)}:`,
    fence(sample.after),
    "Gold:",
    fence(sample.gold),
  ].join("\n\n");
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "None.";
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(" | ")} |`;
  return [line(heads), `| ${heads.map(() => "---").join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** Text that shows as it is inside a paragraph or a table cell. */
function escapeMarkdown(text: string): string {
  return makePrintable(text)
    .replace(/\s+/g, " ")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/[\\`*_[\]|~]/g, "\\$&");
}

/** A code block whose fence is longer than any run of backticks inside. */
function fence(text: string): string {
  const printable = makePrintable(text);
  const runs = printable.match(/`+/g)?.map((run) => run.length) ?? [];
  const mark = "`".repeat(Math.max(3, Math.max(0, ...runs) + 1));
  return `${mark}text\n${printable}\n${mark}`;
}

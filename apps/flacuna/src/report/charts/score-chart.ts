// Scores before and after fine-tuning, one row per benchmark, with 95 % intervals and the paper's values beside them.
import { scaleLinear } from "d3-scale";
import { type ComparisonRow, INTERVAL_STDERRS } from "../comparison.ts";
import { type Html, html } from "../html.ts";
import { formatScore, formatScoreWithError } from "../number-text.ts";
import type { BenchmarkScore } from "../report-schema.ts";
import { CHART_WIDTH, figure } from "./figure.ts";
import { type MarkKind, mark, whisker } from "./marks.ts";
import { frameHeight, ROW_MARGIN, rowFrame, rowMiddle } from "./row-frame.ts";

const ROW_HEIGHT = 56;
const OFFSETS = { base: -13, tuned: 3, paper: 18 };

/** The chart, or `undefined` when no benchmark was scored. */
export function scoreChart(rows: readonly ComparisonRow[]): Html | undefined {
  const scored = rows.filter((row) => row.base !== undefined || row.fineTuned !== undefined);
  if (scored.length === 0) return undefined;
  const x = scaleLinear([0, upperBound(scored)], [ROW_MARGIN.left, CHART_WIDTH - ROW_MARGIN.right]).nice(5);
  const frame = rowFrame(
    scored.map(({ label, benchmark }) => ({ label, isSummary: benchmark === "average" })),
    {
      rowHeight: ROW_HEIGHT,
      x,
      ticks: x.ticks(5).map((value) => ({ value, label: String(value) })),
      axisLabel: "score, %",
    },
  );
  const marks = scored.map((row, index) => drawRow(row, rowMiddle(index, ROW_HEIGHT), x));
  return figure(
    {
      id: "scores",
      title: "Scores before and after",
      description: scored.map(describe).join(" "),
      caption:
        "Bars are 95 % intervals (1.96 standard errors, cut at 0 and 100). The paper’s models are 13B; their errors were not published.",
      height: frameHeight(scored.length, ROW_HEIGHT),
    },
    [legend(), frame, marks],
  );
}

/** The end of the axis: 100, or less when everything lies far below it. */
function upperBound(rows: readonly ComparisonRow[]): number {
  const ends = rows.flatMap(({ base, fineTuned, paper }) => [
    ...[base, fineTuned].map((score) => (score ? score.score + INTERVAL_STDERRS * score.stderr : 0)),
    paper.base,
    paper.fineTuned,
  ]);
  return Math.min(100, Math.max(...ends));
}

function drawRow(
  { base, fineTuned, paper }: ComparisonRow,
  middle: number,
  x: (value: number) => number,
): Html {
  const y = middle + OFFSETS.paper;
  const [from, to] = [x(paper.base), x(paper.fineTuned)];
  return html`${interval("base", base, middle + OFFSETS.base, x)}${interval("tuned", fineTuned, middle + OFFSETS.tuned, x)}
<line class="paper" x1="${from}" x2="${to}" y1="${y}" y2="${y}"/>${mark("base", { x: from, y, className: "paper" })}${mark("tuned", { x: to, y, className: "paper" })}`;
}

function interval(
  kind: MarkKind,
  score: BenchmarkScore | undefined,
  y: number,
  x: (value: number) => number,
): Html | undefined {
  if (score === undefined) return undefined;
  const reach = INTERVAL_STDERRS * score.stderr;
  const [left, right] = [x(Math.max(0, score.score - reach)), x(Math.min(100, score.score + reach))];
  return html`${whisker(kind, { left, right, y })}${mark(kind, { x: x(score.score), y })}`;
}

function legend(): Html {
  const y = 10;
  return html`${mark("base", { x: 12, y })}<text class="label" x="22" y="14">base</text>
${mark("tuned", { x: 72, y })}<text class="label" x="82" y="14">fine-tuned</text>
<line class="paper" x1="172" x2="188" y1="${y}" y2="${y}"/>${mark("base", { x: 172, y, className: "paper" })}${mark("tuned", { x: 188, y, className: "paper" })}
<text class="label" x="200" y="14">paper, Vicuna to Flacuna</text>`;
}

function describe({ label, base, fineTuned, paper }: ComparisonRow): string {
  const published = `paper ${formatScore(paper.base)} to ${formatScore(paper.fineTuned)}`;
  return `${label}: base ${formatScoreWithError(base)}, fine-tuned ${formatScoreWithError(fineTuned)}; ${published}.`;
}

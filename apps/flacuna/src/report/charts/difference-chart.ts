// What fine-tuning changed on each benchmark, with 95 % intervals around zero's line and the paper's change beside it.
import { scaleLinear } from "d3-scale";
import { type ComparisonRow, INTERVAL_STDERRS, type ScoreDifference } from "../comparison.ts";
import { type Html, html } from "../html.ts";
import { formatDifference, formatPoints } from "../number-text.ts";
import { CHART_WIDTH, figure } from "./figure.ts";
import { mark, whisker } from "./marks.ts";
import { frameHeight, ROW_MARGIN, rowFrame, rowMiddle } from "./row-frame.ts";

const ROW_HEIGHT = 56;
const OFFSETS = { ours: -8, paper: 10 };

type ComparedRow = ComparisonRow & { readonly difference: ScoreDifference };

/** The chart, or `undefined` when no benchmark has both scores. */
export function differenceChart(rows: readonly ComparisonRow[]): Html | undefined {
  const compared = rows.filter((row): row is ComparedRow => row.difference !== undefined);
  if (compared.length === 0) return undefined;
  const x = scaleLinear(bounds(compared), [ROW_MARGIN.left, CHART_WIDTH - ROW_MARGIN.right]).nice(5);
  const frame = rowFrame(
    compared.map(({ label, benchmark }) => ({ label, isSummary: benchmark === "average" })),
    {
      rowHeight: ROW_HEIGHT,
      x,
      ticks: x
        .ticks(5)
        .map((value) => ({ value, label: value === 0 ? "0" : formatPoints(value).replace(".0", "") })),
      axisLabel: "change, percentage points",
    },
  );
  const height = frameHeight(compared.length, ROW_HEIGHT);
  const zero = html`<line class="rule" x1="${x(0)}" x2="${x(0)}" y1="${ROW_MARGIN.top - 6}" y2="${height - ROW_MARGIN.bottom}"/>`;
  return figure(
    {
      id: "differences",
      title: "Change by fine-tuning",
      description: compared.map(describe).join(" "),
      caption:
        "Bars are 95 % intervals. Where a bar crosses zero, the data do not tell the two models apart.",
      height,
    },
    [legend(), frame, zero, compared.map((row, index) => drawRow(row, rowMiddle(index, ROW_HEIGHT), x))],
  );
}

function bounds(rows: readonly ComparedRow[]): [number, number] {
  const ends = rows.flatMap(({ difference: { points, stderr }, paper }) => [
    points - INTERVAL_STDERRS * stderr,
    points + INTERVAL_STDERRS * stderr,
    paper.difference,
  ]);
  return [Math.min(0, ...ends), Math.max(0, ...ends)];
}

function drawRow({ difference, paper }: ComparedRow, middle: number, x: (value: number) => number): Html {
  const { points, stderr } = difference;
  const y = middle + OFFSETS.ours;
  const [left, right] = [x(points - INTERVAL_STDERRS * stderr), x(points + INTERVAL_STDERRS * stderr)];
  return html`${whisker("tuned", { left, right, y })}${mark("tuned", { x: x(points), y })}
${mark("tuned", { x: x(paper.difference), y: middle + OFFSETS.paper, className: "paper" })}`;
}

function legend(): Html {
  return html`${mark("tuned", { x: 12, y: 10 })}<text class="label" x="22" y="14">this run</text>
${mark("tuned", { x: 92, y: 10, className: "paper" })}<text class="label" x="104" y="14">paper, 13B</text>`;
}

function describe({ label, difference, paper }: ComparedRow): string {
  const remark = difference.isWithinError ? ", within error" : "";
  return `${label}: ${formatDifference(difference)}${remark}; paper ${formatPoints(paper.difference)}.`;
}

// One quantity over training steps as an SVG line.
import { scaleLinear } from "d3-scale";
import { type Html, html } from "../html.ts";
import { formatQuantity } from "../number-text.ts";
import { CHART_WIDTH, type FigureText, figure } from "./figure.ts";

/** A point of the line. */
export interface LinePoint {
  readonly step: number;
  readonly value: number;
}

/** Longer curves are drawn as means over consecutive points, to keep the page small. */
export const MAX_POINTS = 400;

const MARGIN = { top: 12, right: 14, bottom: 40, left: 66 };

/** The line with its axes. Points that are not finite numbers are gaps, and the description counts them. */
export function lineChart(
  points: readonly LinePoint[],
  { height = 220, unit, startAtZero = false, ...text }: Omit<FigureText, "description"> & LineChartOptions,
): Html {
  const shown = averageBuckets(points);
  const values = shown.map((point) => point.value).filter(Number.isFinite);
  if (values.length === 0) return html`<p>${text.title}: no points were recorded.</p>`;
  const x = scaleLinear([shown[0]!.step, shown.at(-1)!.step], [MARGIN.left, CHART_WIDTH - MARGIN.right]);
  const low = startAtZero ? 0 : Math.min(...values);
  const y = scaleLinear(widen(low, Math.max(...values)), [height - MARGIN.bottom, MARGIN.top]).nice(5);
  const axes = [
    y.ticks(5).map((tick) => horizontal(y(tick), formatQuantity(tick))),
    x.ticks(5).map((tick) => vertical(x(tick), formatQuantity(tick), height)),
    html`<text class="label" x="${(MARGIN.left + CHART_WIDTH) / 2}" y="${height - 6}" text-anchor="middle">step</text>`,
    html`<text class="label" x="10" y="${height / 2 - 10}" text-anchor="middle" transform="rotate(-90 10 ${height / 2 - 10})">${unit}</text>`,
  ];
  const line = html`<path class="line" d="${toPath(shown, x, y)}"/>`;
  return figure(
    {
      ...text,
      height,
      description: describe(points, unit),
      caption: `${text.caption}${points.length > shown.length ? ` Each drawn point is a mean of up to ${Math.ceil(points.length / MAX_POINTS)} steps.` : ""}`,
    },
    [axes, line],
  );
}

/** What a line chart may be told. */
export interface LineChartOptions {
  readonly unit: string;
  readonly height?: number;
  readonly startAtZero?: boolean;
}

/** At most `MAX_POINTS` points: means over runs of equal length, with the mean step as position. */
export function averageBuckets(points: readonly LinePoint[]): LinePoint[] {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, index) => {
    const run = points.slice(index * size, (index + 1) * size);
    const mean = (read: (point: LinePoint) => number) =>
      run.reduce((sum, point) => sum + read(point), 0) / run.length;
    return { step: mean((point) => point.step), value: mean((point) => point.value) };
  });
}

type Scale = (value: number) => number;

function toPath(points: readonly LinePoint[], x: Scale, y: Scale): string {
  let isDrawing = false;
  return points
    .map(({ step, value }) => {
      const command = isDrawing ? "L" : "M";
      isDrawing = Number.isFinite(value);
      return isDrawing ? `${command}${x(step).toFixed(1)},${y(value).toFixed(1)}` : "";
    })
    .join("");
}

function widen(low: number, high: number): [number, number] {
  return low === high ? [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2] : [low, high];
}

function horizontal(position: number, label: string): Html {
  return html`<line class="grid" x1="${MARGIN.left}" x2="${CHART_WIDTH - MARGIN.right}" y1="${position}" y2="${position}"/>
<text class="tick" x="${MARGIN.left - 6}" y="${position + 4}" text-anchor="end">${label}</text>`;
}

function vertical(position: number, label: string, height: number): Html {
  return html`<text class="tick" x="${position}" y="${height - MARGIN.bottom + 17}" text-anchor="middle">${label}</text>`;
}

function describe(points: readonly LinePoint[], unit: string): string {
  const finite = points.filter((point) => Number.isFinite(point.value));
  const first = finite[0]!;
  const last = finite.at(-1)!;
  const lowest = finite.reduce((best, point) => (point.value < best.value ? point : best));
  const gaps = points.length - finite.length;
  const at = (point: LinePoint) => `${formatQuantity(point.value)} at step ${point.step}`;
  return `A line of ${unit} over ${points.length} points: from ${at(first)} to ${at(last)}, lowest ${at(lowest)}.${gaps > 0 ? ` ${gaps} points are not finite and left out.` : ""}`;
}

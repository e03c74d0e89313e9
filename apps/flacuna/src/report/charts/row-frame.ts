// Grid, ticks and row labels shared by the charts that give each benchmark a row.
import { type Html, html } from "../html.ts";
import { CHART_WIDTH } from "./figure.ts";

/** Space around the rows; the top holds the legend. */
export const ROW_MARGIN = { top: 30, right: 18, bottom: 40, left: 84 };

/** One labelled row. */
export interface FrameRow {
  readonly label: string;
  /** Set off from the rows above by a rule, as the average is. */
  readonly isSummary: boolean;
}

/** Height of a chart with that many rows. */
export function frameHeight(rowCount: number, rowHeight: number): number {
  return ROW_MARGIN.top + rowCount * rowHeight + ROW_MARGIN.bottom;
}

/** Vertical middle of a row. */
export function rowMiddle(index: number, rowHeight: number): number {
  return ROW_MARGIN.top + (index + 0.5) * rowHeight;
}

/** Everything of the chart but the data. `x` maps a tick to its place. */
export function rowFrame(rows: readonly FrameRow[], { rowHeight, x, ticks, axisLabel }: FrameOptions): Html {
  const height = frameHeight(rows.length, rowHeight);
  const bottom = height - ROW_MARGIN.bottom;
  const grid = ticks.map(
    ({
      value,
      label,
    }) => html`<line class="grid" x1="${x(value)}" x2="${x(value)}" y1="${ROW_MARGIN.top - 6}" y2="${bottom}"/>
<text class="tick" x="${x(value)}" y="${bottom + 17}" text-anchor="middle">${label}</text>`,
  );
  const labels = rows.map(({ label, isSummary }, index) => {
    const middle = rowMiddle(index, rowHeight);
    const top = middle - rowHeight / 2;
    const rule = isSummary
      ? html`<line class="rule" x1="0" x2="${CHART_WIDTH}" y1="${top}" y2="${top}"/>`
      : undefined;
    return html`${rule}<text class="label${isSummary ? " strong" : ""}" x="${ROW_MARGIN.left - 8}" y="${middle + 4}" text-anchor="end">${label}</text>`;
  });
  const center = (ROW_MARGIN.left + CHART_WIDTH - ROW_MARGIN.right) / 2;
  return html`${grid}${labels}<text class="label" x="${center}" y="${height - 6}" text-anchor="middle">${axisLabel}</text>`;
}

/** Scale and words of a frame. */
export interface FrameOptions {
  readonly rowHeight: number;
  readonly x: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
  readonly axisLabel: string;
}

// Counts by name as horizontal bars.
import { scaleLinear } from "d3-scale";
import { type Html, html } from "../html.ts";
import { formatCount } from "../number-text.ts";
import { CHART_WIDTH, type FigureText, figure } from "./figure.ts";

const LABEL_WIDTH = 150;
const VALUE_WIDTH = 110;
const ROW_HEIGHT = 26;
const LONGEST_LABEL = 24;

/** One bar for each entry, with its count and its share of the total. */
export function barChart(
  entries: readonly { readonly name: string; readonly count: number }[],
  text: Omit<FigureText, "description">,
): Html {
  const total = entries.reduce((sum, entry) => sum + entry.count, 0);
  const largest = Math.max(1, ...entries.map((entry) => entry.count));
  const width = scaleLinear([0, largest], [0, CHART_WIDTH - LABEL_WIDTH - VALUE_WIDTH]);
  const toText = (count: number) =>
    `${formatCount(count)} (${total === 0 ? "0.0" : ((100 * count) / total).toFixed(1)} %)`;
  const bars = entries.map(({ name, count }, index) => {
    const y = index * ROW_HEIGHT;
    return html`<text class="label" x="${LABEL_WIDTH - 8}" y="${y + 17}" text-anchor="end">${shorten(name)}</text>
<rect class="bar" x="${LABEL_WIDTH}" y="${y + 4}" width="${width(count)}" height="${ROW_HEIGHT - 8}"/>
<text class="tick" x="${LABEL_WIDTH + width(count) + 6}" y="${y + 17}">${toText(count)}</text>`;
  });
  const description = entries.map(({ name, count }) => `${name}: ${toText(count)}.`).join(" ");
  return figure({ ...text, description, height: entries.length * ROW_HEIGHT + 4 }, bars);
}

function shorten(name: string): string {
  return name.length <= LONGEST_LABEL ? name : `${name.slice(0, LONGEST_LABEL - 1)}…`;
}

import { describe, expect, it } from "vitest";
import { compareWithPaper } from "../comparison.ts";
import { emptyReport, exampleReport } from "../fixtures/example-report.ts";
import { barChart } from "./bar-chart.ts";
import { differenceChart } from "./difference-chart.ts";
import { averageBuckets, lineChart, MAX_POINTS } from "./line-chart.ts";
import { scoreChart } from "./score-chart.ts";

const text = { id: "x", title: "T", caption: "C." };
const rows = compareWithPaper(exampleReport);

describe("averageBuckets()", () => {
  it("keeps short curves as they are", () => {
    const points = [{ step: 1, value: 2 }];
    expect(averageBuckets(points)).toEqual(points);
  });

  it("keeps the mean of a long curve and draws at most MAX_POINTS", () => {
    const points = Array.from({ length: 4 * MAX_POINTS }, (_, step) => ({ step, value: step ** 2 }));
    const shown = averageBuckets(points);
    const mean = (values: readonly { value: number }[]) =>
      values.reduce((sum, { value }) => sum + value, 0) / values.length;
    expect(shown).toHaveLength(MAX_POINTS);
    expect(mean(shown)).toBeCloseTo(mean(points), 6);
  });
});

describe("lineChart()", () => {
  it("breaks the line at a value that is not finite, and says so", () => {
    const points = [1, Number.NaN, 3, 4].map((value, step) => ({ step, value }));
    const { markup } = lineChart(points, { ...text, unit: "nats" });
    const path = /class="line" d="([^"]*)"/.exec(markup)![1]!;
    expect(path.match(/[ML]/g)).toEqual(["M", "M", "L"]);
    expect(path).not.toContain("NaN");
    expect(markup).toContain("1 points are not finite");
  });

  it("draws a constant curve and a single point", () => {
    for (const points of [
      [{ step: 1, value: 0 }],
      [
        { step: 1, value: 2 },
        { step: 2, value: 2 },
      ],
    ]) {
      expect(lineChart(points, { ...text, unit: "nats" }).markup).not.toMatch(/NaN|Infinity/);
    }
  });
});

describe("barChart()", () => {
  it("draws widths in proportion to counts", () => {
    const { markup } = barChart(
      [
        { name: "a", count: 30 },
        { name: "b", count: 10 },
        { name: "c", count: 0 },
      ],
      text,
    );
    const [a, b, c] = [...markup.matchAll(/<rect class="bar"[^>]* width="([\d.]+)"/g)].map((match) =>
      Number(match[1]),
    );
    expect(a! / b!).toBeCloseTo(3);
    expect(c).toBe(0);
    expect(markup).toContain("30 (75.0 %)");
  });
});

describe("scoreChart()", () => {
  it("places scores on one linear scale", () => {
    const { markup } = scoreChart(rows)!;
    // Left edges of the fine-tuned squares in row order; the first is the legend's.
    const edges = [...markup.matchAll(/<rect class="mark tuned" x="([\d.]+)"/g)]
      .slice(1)
      .map((match) => Number(match[1]));
    const scores = rows.map((row) => row.fineTuned!.score);
    const slope = (edges[3]! - edges[4]!) / (scores[3]! - scores[4]!);
    for (const [index, score] of scores.entries())
      expect(edges[index]).toBeCloseTo(edges[4]! + slope * score, 6);
  });

  it("describes every row in words", () => {
    expect(scoreChart(rows)!.markup).toContain(
      "DROP: base 9.4 ± 0.8, fine-tuned 17.2 ± 1.0; paper 32.6 to 43.6.",
    );
  });

  it("is left out when nothing was scored", () => {
    const report = { ...emptyReport, models: { vicuna: {}, flacuna: {} } };
    expect(scoreChart(compareWithPaper(report))).toBeUndefined();
  });
});

describe("differenceChart()", () => {
  it("draws zero's line through every interval that is within error, and through no other", () => {
    const { markup } = differenceChart(rows)!;
    const zero = Number(/<line class="rule" x1="([\d.]+)" x2="\1" y1="24"/.exec(markup)![1]);
    const intervals = [...markup.matchAll(/class="whisker tuned" d="M([\d.]+),[\d.]+H([\d.]+)M/g)];
    const isCrossed = intervals.map(([, left, right]) => Number(left) <= zero && zero <= Number(right));
    expect(isCrossed).toEqual(rows.map((row) => row.difference!.isWithinError));
  });

  it("is left out when nothing can be compared", () => {
    expect(differenceChart(compareWithPaper(emptyReport))).toBeUndefined();
  });
});

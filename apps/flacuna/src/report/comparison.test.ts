import { describe, expect, it } from "vitest";
import { compareWithPaper } from "./comparison.ts";
import { emptyReport, exampleReport } from "./fixtures/example-report.ts";

describe("compareWithPaper()", () => {
  const rows = compareWithPaper(exampleReport);
  const byName = Object.fromEntries(rows.map((row) => [row.benchmark, row]));

  it("has the paper's benchmarks in its order, then the average", () => {
    expect(rows.map((row) => row.label)).toEqual(["MMLU", "BBH", "DROP", "CRASS", "HumanEval", "Average"]);
  });

  it("adds the errors of two scores in quadrature", () => {
    expect(byName.crass?.difference?.points).toBeCloseTo(8.7);
    expect(byName.crass?.difference?.stderr).toBeCloseTo(Math.sqrt(2.9 ** 2 + 3.0 ** 2));
    expect(byName.crass?.difference?.isPaired).toBe(false);
  });

  it("prefers the error over the same items where there is one", () => {
    expect(byName.mmlu?.difference).toMatchObject({ stderr: 0.9, isPaired: true, isWithinError: true });
  });

  it("tells a difference beyond its error from one within", () => {
    expect(byName.drop?.difference?.isWithinError).toBe(false);
    expect(byName.bbh?.difference?.isWithinError).toBe(true);
  });

  it("takes the paper's difference between its own two rows", () => {
    expect(byName.drop?.paper.difference).toBeCloseTo(11.0);
  });

  it("leaves out what was not scored for both models", () => {
    const [mmlu, bbh] = compareWithPaper(emptyReport);
    expect(mmlu).toHaveProperty("base");
    expect(mmlu).not.toHaveProperty("difference");
    expect(bbh).not.toHaveProperty("base");
  });
});

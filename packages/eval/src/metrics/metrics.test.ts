import { describe, expect, it } from "vitest";
import { accuracy, macroAverage } from "./accuracy.ts";
import { averagePassAtK, passAtK } from "./pass-at-k.ts";
import { standardErrorOfAverage, standardErrorOfMean } from "./standard-error.ts";

describe("accuracy()", () => {
  it("is the share of hits with its closed-form standard error", () => {
    const { score, standardError, n } = accuracy([true, false, true, true]);
    expect({ score, n }).toEqual({ score: 0.75, n: 4 });
    expect(standardError).toBeCloseTo(Math.sqrt((0.75 * 0.25) / 3), 12);
  });

  it("has no standard error for a single answer", () => {
    expect(accuracy([true])).toEqual({ score: 1, standardError: undefined, n: 1 });
  });
});

describe("macroAverage()", () => {
  it("counts every group the same, whatever its size", () => {
    const large = accuracy([true, true, true, true, true, false]);
    const small = accuracy([false, false]);
    const average = macroAverage([large, small]);
    expect(average.score).toBeCloseTo(5 / 6 / 2, 12);
    expect(average.standardError).toBeCloseTo(Math.sqrt(5 / 36 / 5) / 2, 12);
    expect(average.n).toBe(8);
  });
});

describe("standardErrorOfMean()", () => {
  it("shrinks with the square root of n", () => {
    const once = standardErrorOfMean([0, 1, 0, 1]) as number;
    const often = standardErrorOfMean(Array.from({ length: 400 }, (_, i) => i % 2)) as number;
    expect(once / often).toBeCloseTo(Math.sqrt(399 / 3), 10);
  });
});

describe("standardErrorOfAverage()", () => {
  it("adds in squares and divides by the number of scores", () => {
    expect(standardErrorOfAverage([3, 4])).toBe(2.5);
  });

  it("is unknown when one part is unknown", () => {
    expect(standardErrorOfAverage([3, undefined])).toBeUndefined();
  });
});

describe("passAtK()", () => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);

  it("equals 1 − C(n − c, k) / C(n, k)", () => {
    for (const passed of [0, 1, 3, 5]) {
      for (const k of [1, 2, 5]) {
        expect(passAtK({ tried: 10, passed }, k)).toBeCloseTo(1 - choose(10 - passed, k) / choose(10, k), 12);
      }
    }
  });

  it("is 1 when fewer than k programs failed", () => {
    expect(passAtK({ tried: 10, passed: 6 }, 5)).toBe(1);
  });

  it("is the share of passes for k = 1", () => {
    expect(
      averagePassAtK(
        [
          { tried: 1, passed: 1 },
          { tried: 1, passed: 0 },
        ],
        1,
      ).score,
    ).toBe(0.5);
  });
});

import { describe, expect, it } from "vitest";
import { commonLength, compareIds, planSuffixes } from "./common-prefix.ts";

describe("commonLength()", () => {
  it("counts equal tokens from the beginning", () => {
    expect(commonLength([1, 2, 3], [1, 2, 4])).toBe(2);
    expect(commonLength([1, 2], [1, 2, 3])).toBe(2);
    expect(commonLength([], [1])).toBe(0);
  });
});

describe("compareIds()", () => {
  it("orders as a dictionary does, by numbers", () => {
    const sorted = [[1], [1, 2], [1, 2, 3], [1, 10], [2]];
    expect([...sorted].reverse().sort(compareIds)).toEqual(sorted);
  });
});

describe("planSuffixes()", () => {
  it("lets each sequence leave out what the one before it computed, but never all", () => {
    const sequences = [[1, 2, 3, 9], [5], [1, 2, 3], [1, 2, 3, 4], [5]];
    expect(planSuffixes(sequences)).toEqual([
      { index: 2, start: 0 },
      { index: 3, start: 3 },
      { index: 0, start: 3 },
      { index: 1, start: 0 },
      { index: 4, start: 0 },
    ]);
  });
});

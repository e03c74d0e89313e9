import { describe, expect, it } from "vitest";
import { batchesOf, lengthGroups } from "./length-groups.ts";

const samples = Array.from({ length: 101 }, (_, i) => i);
const tokenCount = (sample: number): number => (sample * 37) % 101;
const grouped = (key: number) => lengthGroups({ samples, tokenCount, batchSize: 4, keys: [key] });

describe("lengthGroups()", () => {
  it("puts neighbours in length together", () => {
    for (const batch of grouped(1)) {
      const counts = batch.map(tokenCount);
      expect(Math.max(...counts) - Math.min(...counts)).toBe(batch.length - 1);
    }
  });

  it("holds every sample once, with one short batch", () => {
    expect(
      grouped(1)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(samples);
    expect(grouped(1).filter((batch) => batch.length < 4)).toHaveLength(1);
  });

  it("shuffles the batches by its keys", () => {
    const longest = grouped(1).map(([first]) => tokenCount(first!));
    expect(longest).not.toEqual(longest.toSorted((a, b) => b - a));
    expect(grouped(1)).toEqual(grouped(1));
    expect(grouped(2)).not.toEqual(grouped(1));
  });
});

describe("batchesOf()", () => {
  it("leaves the last batch short", () => {
    expect(batchesOf([1, 2, 3], 2)).toEqual([[1, 2], [3]]);
    expect(batchesOf([], 2)).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { batchByLength } from "./batching.ts";

describe("batchByLength()", () => {
  it("puts the longest first and every index into one batch", () => {
    expect(batchByLength([3, 9, 5, 9, 1], { maxBatchSize: 2, maxBatchTokens: 100 })).toEqual([
      [1, 3],
      [2, 0],
      [4],
    ]);
  });

  it("counts padding against the limit of tokens", () => {
    expect(batchByLength([10, 1, 1, 1], { maxBatchSize: 8, maxBatchTokens: 20 })).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it("gives a sequence over the limit a batch of its own", () => {
    expect(batchByLength([50, 2], { maxBatchSize: 8, maxBatchTokens: 20 })).toEqual([[0], [1]]);
  });

  it("makes no batch of nothing", () => {
    expect(batchByLength([], { maxBatchSize: 8, maxBatchTokens: 20 })).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { collate } from "./collate.ts";

const rows = [
  { inputIds: Int32Array.of(1, 7, 2), labels: Int32Array.of(-100, 7, 2) },
  { inputIds: Int32Array.of(1, 0), labels: Int32Array.of(-100, 0) },
];

describe("collate()", () => {
  it("pads on the right to the longest row", () => {
    expect(collate(rows, { padTokenId: 0 })).toEqual({
      inputIds: BigInt64Array.of(1n, 7n, 2n, 1n, 0n, 0n),
      labels: BigInt64Array.of(-100n, 7n, 2n, -100n, 0n, -100n),
      attentionMask: BigInt64Array.of(1n, 1n, 1n, 1n, 0n, 0n),
      starts: Int32Array.of(0, 0, 0, 0, 0, 2),
      batchSize: 2,
      sequenceLength: 3,
    });
  });

  it("rounds the length up to a multiple and pads with the given id", () => {
    const batch = collate(rows, { padTokenId: 9, padToMultipleOf: 4 });
    expect(batch.sequenceLength).toBe(4);
    expect([...batch.inputIds.subarray(4)]).toEqual([1n, 0n, 9n, 9n]);
    expect([...batch.attentionMask.subarray(4)]).toEqual([1n, 1n, 0n, 0n]);
  });

  it("keeps the starts of a packed row and makes each padding a document of its own", () => {
    const packed = { ...rows[0]!, starts: Int32Array.of(0, 1, 1) };
    const { starts } = collate([packed, rows[1]!], { padTokenId: 0, padToMultipleOf: 5 });
    expect([...starts]).toEqual([0, 1, 1, 3, 4, 0, 0, 2, 3, 4]);
  });

  it("refuses no rows", () => {
    expect(() => collate([], { padTokenId: 0 })).toThrow("at least one row");
  });

  it("refuses a multiple of nothing", () => {
    expect(() => collate(rows, { padTokenId: 0, padToMultipleOf: 0 })).toThrow(
      "padToMultipleOf must be an integer",
    );
  });
});

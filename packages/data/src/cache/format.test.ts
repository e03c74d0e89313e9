import { describe, expect, it } from "vitest";
import {
  decodeIndexRecord,
  encodeIndexRecord,
  INDEX_BYTES,
  rowOf,
  tokenTypeFor,
  trainedRuns,
} from "./format.ts";

describe("encodeIndexRecord()", () => {
  it("survives a round trip at offsets beyond 32 bits", () => {
    const record = {
      tokenOffset: 2 ** 40,
      tokenCount: 1280,
      sourceId: 7,
      runOffset: 2 ** 33,
      runCount: 3,
      row: 1340152,
    };
    const bytes = encodeIndexRecord(record);
    expect(bytes).toHaveLength(INDEX_BYTES);
    expect(decodeIndexRecord(bytes)).toEqual(record);
  });
});

describe("trainedRuns()", () => {
  it("lists start and length of each run", () => {
    expect([...trainedRuns([-100, 5, 6, -100, 7])]).toEqual([1, 2, 4, 1]);
    expect([...trainedRuns([5, 5])]).toEqual([0, 2]);
    expect([...trainedRuns([-100])]).toEqual([]);
  });
});

describe("rowOf()", () => {
  it("gives back the labels whose runs it is given", () => {
    const labels = [-100, 5, 6, -100, 7];
    const row = rowOf(Int32Array.of(1, 5, 6, 9, 7), trainedRuns(labels));
    expect([...row.labels]).toEqual(labels);
  });
});

describe("tokenTypeFor()", () => {
  it("takes two bytes below 65,536 ids", () => {
    expect([tokenTypeFor(32_000), tokenTypeFor(65_535), tokenTypeFor(65_536)]).toEqual([
      "uint16",
      "uint16",
      "uint32",
    ]);
  });
});

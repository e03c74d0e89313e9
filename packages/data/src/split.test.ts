import { describe, expect, it } from "vitest";
import { splitRows } from "./split.ts";

describe("splitRows()", () => {
  it("cuts FLAN-MINI into 1,333,452 and 6,701 rows at NumPy's permutation", () => {
    const { train, evaluation } = splitRows(1_340_153);
    expect([train.length, evaluation.length]).toEqual([1_333_452, 6_701]);
    expect([...evaluation.subarray(0, 5)]).toEqual([222306, 1263605, 404610, 627463, 366148]);
    expect([...train.subarray(0, 3)]).toEqual([1264516, 417349, 257004]);
  });

  it("cuts 1,000 rows at 995", () => {
    expect(splitRows(1_000).train).toHaveLength(995);
  });

  it("loses and repeats no row", () => {
    const { train, evaluation } = splitRows(333, { trainFraction: 0.7, seed: 4 });
    expect(new Set([...train, ...evaluation]).size).toBe(333);
  });

  it("refuses a fraction above one", () => {
    expect(() => splitRows(10, { trainFraction: 99.5 })).toThrow("trainFraction must be from 0 to 1");
  });
});

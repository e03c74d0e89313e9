import { describe, expect, it } from "vitest";
import { DataError } from "../errors.ts";
import { numpyPermutation } from "./numpy-permutation.ts";

// Expected values: specification of the split, `numpy.random.seed(0); numpy.random.permutation(N)`.
describe("numpyPermutation()", () => {
  it("equals NumPy for 10 elements", () => {
    expect([...numpyPermutation(10, 0)]).toEqual([2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
  });

  it("equals NumPy for 1,000 elements", () => {
    expect([...numpyPermutation(1_000, 0).subarray(0, 5)]).toEqual([993, 859, 298, 553, 672]);
  });

  it("equals NumPy for the rows of FLAN-MINI", () => {
    const permutation = numpyPermutation(1_340_153, 0);
    expect([...permutation.subarray(0, 8)]).toEqual([
      1264516, 417349, 257004, 958529, 547583, 973202, 99006, 47738,
    ]);
    expect([...permutation.subarray(-3)]).toEqual([963395, 117952, 305711]);
  });

  it("holds every element once", () => {
    expect([...numpyPermutation(257, 7)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 257 }, (_, i) => i),
    );
  });

  it("is empty for no elements", () => {
    expect(numpyPermutation(0, 0)).toHaveLength(0);
  });

  it("refuses a seed that is no 32-bit integer", () => {
    expect(() => numpyPermutation(3, -1)).toThrow(DataError);
  });
});

import { describe, expect, it } from "vitest";
import { feistelPermutation } from "./feistel-permutation.ts";

const elementsOf = (length: number, ...keys: (number | string)[]): number[] => {
  const permutation = feistelPermutation(length, ...keys);
  return Array.from({ length }, (_, position) => permutation.at(position));
};

describe("feistelPermutation()", () => {
  it.each([1, 2, 3, 4, 5, 16, 17, 100, 1_000, 65_537])("holds each of %i elements once", (length) => {
    expect(new Set(elementsOf(length, 42)).size).toBe(length);
  });

  it("finds the position of every element", () => {
    const permutation = feistelPermutation(1_000, 5);
    const positions = elementsOf(1_000, 5).map((element) => permutation.positionOf(element));
    expect(positions).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });

  it("is the same for the same keys and another for others", () => {
    expect(elementsOf(100, 1, 2)).toEqual(elementsOf(100, 1, 2));
    expect(elementsOf(100, 1, 2)).not.toEqual(elementsOf(100, 2, 1));
  });

  it("puts each element at each place about equally often over keys", () => {
    const counts = new Map<string, number>();
    for (let key = 0; key < 5_000; key++) {
      for (const [place, element] of elementsOf(5, key).entries()) {
        const cell = `${place},${element}`;
        counts.set(cell, (counts.get(cell) ?? 0) + 1);
      }
    }
    // Expected 1,000 in each of the 25 cells; six standard deviations are 170.
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(170);
    expect(counts.size).toBe(25);
  });

  it("leaves few ascending neighbours in place", () => {
    const elements = elementsOf(10_000, 3);
    const neighbours = elements.filter((element, i) => element + 1 === elements[i + 1]);
    // A uniform permutation has 1 on average.
    expect(neighbours.length).toBeLessThan(10);
  });

  it("covers lengths of 2³² without overflow", () => {
    const permutation = feistelPermutation(2 ** 32, 0);
    expect(permutation.positionOf(permutation.at(2 ** 32 - 1))).toBe(2 ** 32 - 1);
  });

  it("refuses an index outside the length", () => {
    expect(() => feistelPermutation(3, 0).at(3)).toThrow("permutation of 3: no index 3");
  });

  it("refuses a negative length", () => {
    expect(() => feistelPermutation(-1, 0)).toThrow("length must be");
  });
});

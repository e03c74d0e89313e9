import { describe, expect, it } from "vitest";
import { denseOrthogonal } from "./fixtures/dense-orthogonal.ts";
import { hadamardMatrix, randomOrthogonal } from "./rotate-orthogonal.ts";

describe("hadamardMatrix()", () => {
  it("is Sylvester's, made orthogonal", () => {
    expect([...hadamardMatrix(4)].map((value) => value * 2)).toEqual([
      1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1,
    ]);
  });
});

describe("randomOrthogonal()", () => {
  it.each([1, 15, 24, 32, 36])("has orthonormal rows, at size %i", (size) => {
    const Q = denseOrthogonal(randomOrthogonal(size, 7));
    for (const [i, row] of Q.entries()) {
      for (const [j, other] of Q.entries()) {
        const product = row.reduce((sum, value, k) => sum + value * other[k]!, 0);
        expect(product).toBeCloseTo(Number(i === j), 6);
      }
    }
  });

  it("takes the largest blocks and differs by seed only", () => {
    expect(randomOrthogonal(576, 1)).toMatchObject({ size: 576, blockSize: 64 });
    expect(randomOrthogonal(24, 1)).toEqual(randomOrthogonal(24, 1));
    expect(randomOrthogonal(24, 1)).not.toEqual(randomOrthogonal(24, 2));
  });
});

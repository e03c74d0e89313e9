import { randomNormal } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import {
  blockHadamard,
  hadamardMatrix,
  type Orthogonal,
  randomOrthogonal,
  rotateColumns,
  rotateRows,
} from "./rotate-orthogonal.ts";

const random = (seed: number, size: number): Float32Array => Float32Array.from(randomNormal(seed, size));

/** diag(signs) · (mix ⊗ H), entry by entry. */
function dense({ size, blockSize, signs, mix }: Orthogonal): number[][] {
  const H = hadamardMatrix(blockSize);
  const blocks = size / blockSize;
  return Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => {
      const [a, b] = [Math.floor(i / blockSize), Math.floor(j / blockSize)];
      const share = mix === undefined ? Number(a === b) : mix[a * blocks + b]!;
      return signs[i]! * share * H[(i % blockSize) * blockSize + (j % blockSize)]!;
    }),
  );
}

/** The largest difference from plain sums of products. */
function deviation(
  actual: Float32Array,
  [rows, inner, columns]: readonly [number, number, number],
  a: (row: number, k: number) => number,
  b: (k: number, column: number) => number,
): number {
  let worst = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += a(row, k) * b(k, column);
      worst = Math.max(worst, Math.abs(sum - actual[row * columns + column]!));
    }
  }
  return worst;
}

describe("hadamardMatrix()", () => {
  it("is Sylvester's, made orthogonal", () => {
    expect([...hadamardMatrix(4)].map((value) => value * 2)).toEqual([
      1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1,
    ]);
  });
});

describe("randomOrthogonal()", () => {
  it.each([1, 15, 24, 32, 36])("has orthonormal rows, at size %i", (size) => {
    const Q = dense(randomOrthogonal(size, 7));
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

describe("rotateRows()", () => {
  it.each([randomOrthogonal(24, 3), randomOrthogonal(16, 3), blockHadamard(24, 8)])(
    "multiplies by the gain and the matrix, rows that fill no tile too",
    async (Q) => {
      const rows = 37;
      const [W, gain, M] = [random(1, rows * Q.size), random(2, Q.size), dense(Q)];
      const actual = W.slice();
      await rotateRows(actual, Q, gain);
      const a = (row: number, k: number) => W[row * Q.size + k]! * gain[k]!;
      expect(deviation(actual, [rows, Q.size, Q.size], a, (k, c) => M[k]![c]!)).toBeLessThan(1e-6);
    },
  );
});

describe("rotateColumns()", () => {
  it.each([randomOrthogonal(24, 3), randomOrthogonal(16, 3), randomOrthogonal(9, 3)])(
    "multiplies by the transposed matrix, columns that fill no tile too",
    async (Q) => {
      const columns = 21;
      const [W, M] = [random(1, Q.size * columns), dense(Q)];
      const actual = W.slice();
      await rotateColumns(actual, Q);
      const b = (k: number, c: number) => W[k * columns + c]!;
      expect(deviation(actual, [Q.size, Q.size, columns], (i, k) => M[k]![i]!, b)).toBeLessThan(1e-6);
    },
  );
});

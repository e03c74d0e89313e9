// An orthogonal matrix that is fast to apply: random signs, then a Hadamard matrix ⊗ a small random one. Made here and
// multiplied by elsewhere.
import { deriveSeed, randomNormal, uniformAt } from "@flacuna/tensor";

/**
 * The orthogonal matrix diag(signs) · (mix ⊗ H), of `size` rows: H the Hadamard matrix of `blockSize` in Sylvester's
 * order over √blockSize, `mix` a random orthogonal one. Index c is block c ÷ blockSize, place c mod blockSize.
 */
export interface Orthogonal {
  readonly size: number;
  /** A power of two that divides `size`. */
  readonly blockSize: number;
  /** [size] of ±1 */
  readonly signs: Float64Array;
  /** [size / blockSize, size / blockSize]; undefined for the identity */
  readonly mix: Float64Array | undefined;
}

/** The random orthogonal matrix of `size` with the largest blocks possible; the same seed gives the same one. */
export function randomOrthogonal(size: number, seed: number): Orthogonal {
  const blockSize = largestPowerOfTwo(size);
  const signSeed = deriveSeed(seed, "signs");
  const signs = Float64Array.from({ length: size }, (_, i) => (uniformAt(signSeed, i) < 0.5 ? -1 : 1));
  const blocks = size / blockSize;
  const mix = blocks === 1 ? undefined : orthonormalRows(blocks, deriveSeed(seed, "mix"));
  return { size, blockSize, signs, mix };
}

/** The Hadamard matrix [size, size] over √size in Sylvester's order: −1 where i and j share an odd number of bits. */
export function hadamardMatrix(size: number): Float32Array<ArrayBuffer> {
  let matrix = Float32Array.of(1 / Math.sqrt(size));
  for (let n = 1; n < size; n *= 2) {
    const smaller = matrix;
    matrix = new Float32Array(4 * n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const value = smaller[i * n + j]!;
        const at = 2 * i * n + j;
        matrix[at] = matrix[at + n] = matrix[at + 2 * n * n] = value;
        matrix[at + 2 * n * n + n] = -value;
      }
    }
  }
  return matrix;
}

const largestPowerOfTwo = (size: number): number => size & -size;

/** A random orthogonal matrix [m, m]: normal rows, each made orthogonal to those before it, twice for accuracy. */
function orthonormalRows(m: number, seed: number): Float64Array {
  const rows = randomNormal(seed, m * m);
  for (let i = 0; i < m; i++) {
    const row = rows.subarray(i * m, (i + 1) * m);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = rows.subarray(j * m, (j + 1) * m);
        const overlap = dot(row, other);
        for (let k = 0; k < m; k++) row[k]! -= overlap * other[k]!;
      }
    }
    const norm = Math.sqrt(dot(row, row));
    for (let k = 0; k < m; k++) row[k]! /= norm;
  }
  return rows;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

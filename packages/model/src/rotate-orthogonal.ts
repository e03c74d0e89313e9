// An orthogonal matrix that is fast to apply: random signs, then a Hadamard matrix ⊗ a small random one. Applied to the
// rows or columns of a host matrix in place; knows no model.
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

/** Blocks of `blockSize` on the diagonal, each a Hadamard matrix; no signs, no mixing. Its own inverse. */
export function blockHadamard(size: number, blockSize: number): Orthogonal {
  return { size, blockSize, signs: new Float64Array(size).fill(1), mix: undefined };
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

/** Vectors transformed together, side by side in a tile. */
const LANES = 16;

/** Tiles between two breaths of the event loop: some tens of milliseconds. */
const TILES_PER_TURN = 256;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Replaces `matrix` [rows, Q.size] by matrix · diag(gain) · Q, computed in float64 and rounded once.
 *
 * @param gain [Q.size]; ones by default
 */
export async function rotateRows(
  matrix: Float32Array,
  Q: Orthogonal,
  gain?: ArrayLike<number>,
): Promise<void> {
  const width = Q.size;
  const scale = Q.signs.map((sign, c) => sign * (gain?.[c] ?? 1));
  await transformAll(matrix.length / width, Q, {
    load(tile, first, lanes) {
      for (let lane = 0; lane < lanes; lane++) {
        const row = (first + lane) * width;
        for (let c = 0; c < width; c++) tile[c * LANES + lane] = matrix[row + c]! * scale[c]!;
      }
    },
    store(tile, first, lanes) {
      for (let lane = 0; lane < lanes; lane++) {
        const row = (first + lane) * width;
        for (let c = 0; c < width; c++) matrix[row + c] = tile[c * LANES + lane]!;
      }
    },
  });
}

/** Replaces `matrix` [Q.size, columns] by Qᵀ · matrix, computed in float64 and rounded once. */
export async function rotateColumns(matrix: Float32Array, Q: Orthogonal): Promise<void> {
  const columns = matrix.length / Q.size;
  const { signs } = Q;
  await transformAll(columns, Q, {
    load(tile, first, lanes) {
      for (let c = 0; c < Q.size; c++) {
        const from = c * columns + first;
        for (let lane = 0; lane < lanes; lane++) tile[c * LANES + lane] = signs[c]! * matrix[from + lane]!;
      }
    },
    store(tile, first, lanes) {
      for (let c = 0; c < Q.size; c++) {
        const to = c * columns + first;
        for (let lane = 0; lane < lanes; lane++) matrix[to + lane] = tile[c * LANES + lane]!;
      }
    },
  });
}

/** Moves vectors `first` … `first + lanes − 1`, already multiplied by the signs, into a tile [size, LANES] and back. */
interface Transfer {
  load(tile: Float64Array, first: number, lanes: number): void;
  store(tile: Float64Array, first: number, lanes: number): void;
}

async function transformAll(count: number, Q: Orthogonal, transfer: Transfer): Promise<void> {
  let tile = new Float64Array(Q.size * LANES);
  let spare = new Float64Array(Q.size * LANES);
  for (let first = 0; first < count; first += LANES) {
    const lanes = Math.min(LANES, count - first);
    transfer.load(tile, first, lanes);
    hadamardBlocks(tile, Q);
    if (Q.mix !== undefined) {
      mixBlocks(tile, spare, Q.mix);
      [tile, spare] = [spare, tile];
    }
    transfer.store(tile, first, lanes);
    if ((first / LANES) % TILES_PER_TURN === TILES_PER_TURN - 1) await nextTurn();
  }
}

/** tile [blocks, blockSize, LANES]: each block multiplied by the Hadamard matrix, by butterflies. */
function hadamardBlocks(tile: Float64Array, { blockSize }: Orthogonal): void {
  const scale = 1 / Math.sqrt(blockSize);
  for (let half = LANES; half < blockSize * LANES; half *= 2) {
    for (let start = 0; start < tile.length; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const a = tile[i]!;
        const b = tile[i + half]!;
        tile[i] = a + b;
        tile[i + half] = a - b;
      }
    }
  }
  for (let i = 0; i < tile.length; i++) tile[i]! *= scale;
}

/** out = mixᵀ · tile, both seen as [blocks, blockSize · LANES]. */
function mixBlocks(tile: Float64Array, out: Float64Array, mix: Float64Array): void {
  const blocks = Math.sqrt(mix.length);
  const span = tile.length / blocks;
  for (let to = 0; to < blocks; to++) {
    const target = to * span;
    // Three sources at a time: sums stay in registers, and memory is the limit.
    for (let from = 0; from < blocks; from += 3) {
      const [p, q, r] = [from, Math.min(from + 1, blocks - 1), Math.min(from + 2, blocks - 1)];
      const a = mix[p * blocks + to]!;
      const b = q > p ? mix[q * blocks + to]! : 0;
      const c = r > q ? mix[r * blocks + to]! : 0;
      const [atP, atQ, atR] = [p * span, q * span, r * span];
      for (let i = 0; i < span; i++) {
        const sum = a * tile[atP + i]! + b * tile[atQ + i]! + c * tile[atR + i]!;
        out[target + i] = from === 0 ? sum : out[target + i]! + sum;
      }
    }
  }
}

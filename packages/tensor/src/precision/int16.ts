// Frozen weights as 16-bit integers with one scale per output, packed as the native panel products read them, in either
// direction. Pure functions on arrays; what the products compute is in `native/linear-panels.c`.

import { offsetInPairRow, paddedToPairs, pairRowStart } from "./pair-layout.ts";
import { checkWeights, notFinite } from "./quantized-rows.ts";

const LARGEST = 32_767;
/** So many neighbouring inputs are a vector of at most this length: two such vectors have a product below 2³¹. */
const [NEIGHBOURS, LENGTH] = [256, 46_000];
/** Neighbours are counted from a multiple of this on. */
const STEP = 32;
/** Below the smallest normal float32 a scale has no inverse; such a row is all zero, as in the kernels. */
const SMALLEST_SCALE = 2 ** -126;

/** Weights W [outputs, inputs] as `scales[o] * q[o, i]`, with q packed for the native products. */
export interface Int16Weight {
  /** q as [outputs / 16, inputs / 2, 16 outputs, 2 inputs], both sizes padded to multiples of 32 with zeros. */
  readonly packed: Int16Array;
  /** [padded outputs] */
  readonly scales: Float32Array;
}

/**
 * Rounds W [outputs, inputs] to integers from −32,767 to 32,767, one scale per output: as fine as lets any 256
 * neighbours of a row, from a multiple of 32 on, be a vector no longer than 46,000.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when the length is not `outputs * inputs`, or a weight is not finite
 */
export function quantizeInt16(weight: Float32Array, outputs: number, inputs: number): Int16Weight {
  checkWeights("quantizeInt16", weight, outputs, inputs);
  const paddedInputs = paddedToPairs(inputs);
  const packed = new Int16Array(paddedToPairs(outputs) * paddedInputs);
  const scales = new Float32Array(paddedToPairs(outputs));
  for (let o = 0; o < outputs; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    const scale = rowScale(row);
    if (!Number.isFinite(scale)) throw notFinite("quantizeInt16", "int16", o, row);
    scales[o] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    const start = pairRowStart(o, paddedInputs);
    for (let i = 0; i < inputs; i++) packed[start + offsetInPairRow(i)] = Math.round(row[i]! * inverse);
  }
  return { packed, scales };
}

/** The float32 scale of a row; 0 when it is too small to divide by, not finite when a weight is not. */
function rowScale(row: Float32Array): number {
  const scale = Math.fround(Math.max(largestOf(row) / LARGEST, Math.sqrt(mostSquares(row)) / LENGTH));
  return scale < SMALLEST_SCALE ? 0 : scale;
}

function largestOf(row: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < row.length; i++) largest = Math.max(largest, Math.abs(row[i]!));
  return largest;
}

/** The largest sum of squares of neighbours. */
function mostSquares(row: Float32Array): number {
  const blocks = new Float64Array(Math.ceil(row.length / STEP));
  for (let i = 0; i < row.length; i++) blocks[Math.floor(i / STEP)]! += row[i]! ** 2;
  const together = NEIGHBOURS / STEP;
  let most = 0;
  for (let first = 0; first < blocks.length; first++) {
    let squares = 0;
    for (const block of blocks.subarray(first, first + together)) squares += block;
    most = Math.max(most, squares);
  }
  return most;
}

// Frozen weights as signed bytes with one scale per output, packed as the native int8 products read them, in either
// direction. Pure functions on arrays; what the products compute is in `native/linear-int8.c`.

import { TensorError } from "../errors.ts";
import { checkWeights, notFinite } from "./quantized-rows.ts";

/** Outputs and inputs of packed weights are padded with zeros to a multiple of this. */
const PADDING = 64;
/** Below the smallest normal float32 a scale has no inverse; such a row is all zero, as in the kernels. */
const SMALLEST_SCALE = 2 ** -126;
/** Adding and subtracting 1.5 · 2⁵² rounds a small float64 to the nearest integer, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;

/** Weights W [outputs, inputs] as `scales[o] * q[o, i]`, with q packed for the native products. */
export interface Int8Weight {
  /**
   * q as [outputs / 16, inputs / 4, 16 outputs, 4 inputs], both sizes padded to multiples of 64 with zeros: either
   * can be the dimension that a product sums over.
   */
  readonly packed: Int8Array;
  /** [outputs]: the largest magnitude of each output's weights, over 127. */
  readonly scales: Float32Array;
  /** [padded outputs]: sums of q over the inputs. */
  readonly rowSums: Int32Array;
  /** [padded inputs]: sums of q over the outputs. */
  readonly columnSums: Int32Array;
}

/**
 * Rounds W [outputs, inputs] to signed bytes from −127 to 127, one scale per output, nearest, ties to even.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when the length is not `outputs * inputs`, or a weight is not finite
 */
export function quantizeInt8(weight: Float32Array, outputs: number, inputs: number): Int8Weight {
  checkWeights("quantizeInt8", weight, outputs, inputs);
  const paddedOutputs = padded(outputs);
  const paddedInputs = padded(inputs);
  const packed = new Int8Array(paddedOutputs * paddedInputs);
  const scales = new Float32Array(outputs);
  const rowSums = new Int32Array(paddedOutputs);
  const columnSums = new Int32Array(paddedInputs);
  for (let o = 0; o < outputs; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    const scale = rowScale(row);
    if (!Number.isFinite(scale)) throw notFinite("quantizeInt8", "int8", o, row);
    scales[o] = scale;
    rowSums[o] = packRow(row, scale, packed, rowStart(o, paddedInputs), columnSums);
  }
  return { packed, scales, rowSums, columnSums };
}

/**
 * The integers q [outputs, inputs] of packed weights, row major.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when the length is not that of packed weights of these sizes
 */
export function unpackInt8(packed: Int8Array, outputs: number, inputs: number): Int8Array {
  const paddedInputs = padded(inputs);
  if (packed.length !== padded(outputs) * paddedInputs) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `unpackInt8: expected ${padded(outputs) * paddedInputs} bytes for ${outputs} x ${inputs} weights, ` +
        `got ${packed.length}`,
      { details: { outputs, inputs, length: packed.length } },
    );
  }
  const q = new Int8Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    const start = rowStart(o, paddedInputs);
    for (let i = 0; i < inputs; i++) q[o * inputs + i] = packed[start + offsetInRow(i)]!;
  }
  return q;
}

const padded = (size: number): number => Math.ceil(size / PADDING) * PADDING;

/** Where the packed row of output `o` starts; its quads of inputs lie 64 bytes apart. */
const rowStart = (o: number, paddedInputs: number): number => (o >> 4) * 16 * paddedInputs + (o & 15) * 4;
const offsetInRow = (i: number): number => (i >> 2) * 64 + (i & 3);

/** The float32 scale of a row; 0 when it is too small to divide by, not finite when a weight is not. */
function rowScale(row: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < row.length; i++) largest = Math.max(largest, Math.abs(row[i]!));
  const scale = Math.fround(largest / 127);
  return scale < SMALLEST_SCALE ? 0 : scale;
}

/** Writes one row's integers, adds them to the columns' sums, and returns their sum. */
function packRow(
  row: Float32Array,
  scale: number,
  packed: Int8Array,
  start: number,
  columnSums: Int32Array,
): number {
  const inverse = scale === 0 ? 0 : 1 / scale;
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    const q = (row[i]! * inverse + ROUNDER - ROUNDER) | 0;
    packed[start + offsetInRow(i)] = q;
    columnSums[i] = columnSums[i]! + q;
    sum = (sum + q) | 0;
  }
  return sum;
}

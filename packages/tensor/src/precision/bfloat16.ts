// Frozen weights in bfloat16, packed as the native panel products read them, in either direction. Pure functions on
// arrays; what the products compute is in `native/linear-panels.c`.

import { TensorError } from "../errors.ts";
import { float32ToBfloat16 } from "../float16.ts";
import { offsetInPairRow, paddedToPairs, pairRowStart } from "./pair-layout.ts";

/**
 * Packs W [outputs, inputs] as [outputs / 16, inputs / 2, 16 outputs, 2 inputs] bfloat16 bit patterns, both sizes
 * padded to multiples of 32 with zeros.
 *
 * Float32 weights are rounded to nearest, ties to even; a `Uint16Array` holds bit patterns that are kept as they are.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when the length is not `outputs * inputs`
 */
export function packBfloat16(
  weight: Float32Array | Uint16Array,
  outputs: number,
  inputs: number,
): Uint16Array {
  checkLength("packBfloat16", weight.length, outputs, inputs, outputs * inputs);
  const paddedInputs = paddedToPairs(inputs);
  const packed = new Uint16Array(paddedToPairs(outputs) * paddedInputs);
  for (let o = 0; o < outputs; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs);
    const bits = row instanceof Float32Array ? float32ToBfloat16(row) : row;
    const start = pairRowStart(o, paddedInputs);
    for (let i = 0; i < inputs; i++) packed[start + offsetInPairRow(i)] = bits[i]!;
  }
  return packed;
}

/**
 * The bfloat16 bit patterns [outputs, inputs] of packed weights, row major.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when the length is not that of packed weights of these sizes
 */
export function unpackBfloat16(packed: Uint16Array, outputs: number, inputs: number): Uint16Array {
  const paddedInputs = paddedToPairs(inputs);
  checkLength("unpackBfloat16", packed.length, outputs, inputs, paddedToPairs(outputs) * paddedInputs);
  const weight = new Uint16Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    const start = pairRowStart(o, paddedInputs);
    for (let i = 0; i < inputs; i++) weight[o * inputs + i] = packed[start + offsetInPairRow(i)]!;
  }
  return weight;
}

function checkLength(name: string, length: number, outputs: number, inputs: number, expected: number): void {
  if (length === expected) return;
  throw new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `${name}: expected ${expected} elements for ${outputs} x ${inputs} weights, got ${length}`,
    { details: { outputs, inputs, length } },
  );
}

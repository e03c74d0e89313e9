// What the roundings of weights to integers, one scale per output, refuse alike.
import { TensorError } from "../errors.ts";

/** @throws TensorError `TENSOR_INVALID_ARGUMENT` when the length is not `outputs * inputs` */
export function checkWeights(rounding: string, weight: Float32Array, outputs: number, inputs: number): void {
  if (weight.length === outputs * inputs) return;
  throw new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `${rounding}: expected ${outputs} x ${inputs} = ${outputs * inputs} weights, got ${weight.length}`,
    { details: { outputs, inputs, length: weight.length } },
  );
}

/** The error for a row that holds infinity or NaN: names the first such weight. */
export function notFinite(
  rounding: string,
  precision: string,
  output: number,
  row: Float32Array,
): TensorError {
  const input = row.findIndex((value) => !Number.isFinite(value));
  return new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `${rounding}: weight [${output}, ${input}] is ${row[input]}; ${precision} needs finite weights`,
    { details: { output, input, value: row[input] } },
  );
}

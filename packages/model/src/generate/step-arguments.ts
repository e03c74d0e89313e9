// The arguments of one run of a decoding program: padded token ids and the lengths of the sequences. Pure functions.
import { Tensor } from "@flacuna/tensor";

/** [B, T] int64: the sequences padded on the right to the longest. */
export function padRight(sequences: readonly (readonly number[])[]): Tensor<"int64"> {
  const width = Math.max(...sequences.map(({ length }) => length));
  const data = new BigInt64Array(sequences.length * width);
  for (const [row, ids] of sequences.entries()) {
    for (const [column, id] of ids.entries()) data[row * width + column] = BigInt(id);
  }
  return new Tensor("int64", [sequences.length, width], data);
}

/** What tells a program how long its sequences are with the new tokens. */
export function lengthArguments(lengths: readonly number[]): {
  readonly lastPosition: Tensor;
  readonly totalLength: Tensor;
} {
  return {
    lastPosition: integers(
      "int32",
      lengths.map((length) => length - 1),
    ),
    totalLength: Tensor.fromArray("int32", [], [Math.max(...lengths)]),
  };
}

/** A vector of integers. */
export const integers = (dtype: "int32" | "int64", values: readonly number[]): Tensor =>
  Tensor.fromArray(dtype, [values.length], values);

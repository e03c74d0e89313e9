// The arguments of one run of a step program that are made of token ids and places. Pure functions.
import { Tensor } from "@flacuna/tensor";
import type { StepSequence } from "../engine/step-model.ts";

/** What a step program is told about its tokens; see `PagedInputs`. */
export interface StepArguments {
  readonly tokens: Tensor;
  readonly positions: Tensor;
  readonly sequence: Tensor;
  readonly pages: Tensor;
  readonly reads: Tensor;
  /** [N] int32 */
  readonly adapters: Tensor;
}

/** The sequences' tokens one after another, and the pages that hold what came before. */
export function stepArguments(sequences: readonly StepSequence[]): StepArguments {
  const width = Math.max(...sequences.map(({ pages }) => pages.length));
  const pages = new Int32Array(sequences.length * width);
  const tokens: number[] = [];
  const positions: number[] = [];
  const rows: number[] = [];
  const adapters: number[] = [];
  const reads: number[] = [];
  for (const [row, each] of sequences.entries()) {
    pages.set(each.pages, row * width);
    for (const { offset } of each.reads) reads.push(tokens.length + offset);
    for (const [offset, token] of each.tokens.entries()) {
      tokens.push(token);
      positions.push(each.position + offset);
      rows.push(row);
      adapters.push(each.adapter);
    }
  }
  return {
    tokens: integers("int64", tokens),
    positions: integers("int32", positions),
    sequence: integers("int32", rows),
    pages: new Tensor("int32", [sequences.length, width], pages),
    reads: integers("int64", reads),
    adapters: integers("int32", adapters),
  };
}

/** A vector of integers. */
export const integers = (dtype: "int32" | "int64", values: readonly number[]): Tensor =>
  Tensor.fromArray(dtype, [values.length], values);

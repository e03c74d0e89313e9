// Rows looked up in a matrix held as bytes: the table that an output head's bytes serve as, too.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { cast, div, equal, gather, iota, mod, mul, reshape, slice, sum } from "../ops.ts";
import { mulDims } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import type { Int8Weight } from "./int8-linear.ts";

const INT8_ROWS: Composite = {
  name: "int8Rows",
  // (indices [N] int64, packed, scales [out]) → [N, in]
  define([indices, packed, scales], attributes) {
    const [, quads, lanes, depth] = packed!.shape as [number, number, number, number];
    const N = indices!.shape[0]!;
    const groups = cast(gather(packed!, div(indices!, lanes)), "float32"); // [N, in / 4, 16, 4]
    const isLane = equal(reshape(mod(indices!, lanes), [N, 1]), iota(lanes)); // [N, 16]
    const rows = sum(mul(groups, reshape(cast(isLane, "float32"), [N, 1, lanes, 1])), { axis: 2 });
    const values = mul(reshape(rows, [N, quads * depth]), reshape(gather(scales!, indices!), [N, 1]));
    return [slice(values, { axis: 1, start: 0, end: attributes.in! })];
  },
  lower: kernel("Int8Rows"),
};

/**
 * Rows of W by their numbers.
 *
 * @param indices any shape, int64, from 0
 * @returns [...indices, in] float32
 */
export function int8Rows(
  indices: Tracer,
  weight: Pick<Int8Weight, "out" | "in" | "packed" | "scales">,
): Tracer {
  const flat = reshape(indices, [indices.shape.reduce(mulDims, 1)]);
  const rows = bindComposite(INT8_ROWS, [flat, weight.packed, weight.scales], {
    in: weight.in,
    out: weight.out,
  })[0]!;
  return reshape(rows, [...indices.shape, weight.in]);
}

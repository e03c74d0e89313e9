// Products with frozen weights held as bytes, in both directions from one packed copy.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { add, cast, matmul, mul, reshape, slice, sub, transpose } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { quantizeRows, ZERO_POINT } from "./quantize-rows.ts";

/** A frozen weight [out, in] as bytes, with one scale per output; see `quantizeInt8`. */
export interface Int8Weight {
  readonly out: number;
  readonly in: number;
  /** [out / 16, in / 4, 16, 4] int8, both padded to multiples of 64 */
  readonly packed: Tracer;
  /** [out] float32 */
  readonly scales: Tracer;
  /** [out padded] int32: sums of the bytes over `in` */
  readonly rowSums: Tracer;
  /** [in padded] int32: sums of the bytes over `out` */
  readonly columnSums: Tracer;
}

/** The bytes as numbers: [out padded, in padded] float32 */
export function unpackInt8(packed: Tracer): Tracer {
  const [groups, quads, columns, depth] = packed.shape as [number, number, number, number];
  return cast(reshape(transpose(packed, [0, 2, 1, 3]), [groups * columns, quads * depth]), "float32");
}

const centred = (q: Tracer): Tracer => sub(cast(q, "float32"), ZERO_POINT);

const plus = (y: Tracer, addend: Tracer | undefined): Tracer => (addend === undefined ? y : add(addend, y));

export const INT8_LINEAR: Composite = {
  name: "int8Linear",
  // (q [..., in padded], scale [..., 1], packed, scales [out], row sums, addend [..., out]?) → [..., out]
  define([q, scale, packed, scales, , addend], { out }) {
    const weight = slice(unpackInt8(packed!), { axis: 0, start: 0, end: out! });
    const sums = matmul(centred(q!), weight, { transposeB: true });
    return [plus(mul(mul(sums, scale!), scales!), addend)];
  },
  lower: kernel("Int8Linear"),
};

const INT8_LINEAR_TRANSPOSED: Composite = {
  name: "int8LinearTransposed",
  // (q [..., out padded], scale [..., 1], packed, column sums, addend [..., in]?) → [..., in]
  define([q, scale, packed, , addend], attributes) {
    const sums = matmul(centred(q!), unpackInt8(packed!));
    return [plus(mul(slice(sums, { axis: -1, start: 0, end: attributes.in! }), scale!), addend)];
  },
  lower: kernel("Int8LinearTransposed"),
};

/**
 * x · Wᵀ with both operands quantised row by row.
 *
 * @param x [..., in] float32
 * @returns [..., out] float32
 */
export function int8Linear(x: Tracer, weight: Int8Weight): Tracer {
  const { q, scale } = quantizeRows(x);
  const inputs = [q, scale, weight.packed, weight.scales, weight.rowSums];
  return bindComposite(INT8_LINEAR, inputs, { in: weight.in, out: weight.out })[0]!;
}

/**
 * x · W: the outputs' scales are folded into x before its rows are quantised, so that the same bytes serve.
 *
 * @param x [..., out] float32
 * @returns [..., in] float32
 */
export function int8LinearTransposed(x: Tracer, weight: Int8Weight): Tracer {
  const { q, scale } = quantizeRows(x, weight.scales);
  const inputs = [q, scale, weight.packed, weight.columnSums];
  return bindComposite(INT8_LINEAR_TRANSPOSED, inputs, { in: weight.in, out: weight.out })[0]!;
}

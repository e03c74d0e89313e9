// Rows of activations as bytes with one scale each: the left operand of an int8 product.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { add, cast, div, mul, pad } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { inSteps, largestOfRows } from "./rounding.ts";

/** Rows are padded to a multiple of this, as packed weights are. */
export const DEPTH_STEP = 64;

/** The next multiple of `step`. */
export const roundUp = (size: number, step: number): number => Math.ceil(size / step) * step;

/** The byte that stands for 0. */
export const ZERO_POINT = 128;

const LARGEST = 127;

const QUANTIZE_ROWS: Composite = {
  name: "quantizeRows",
  // (x [..., C], column scales [C]?) → q [..., C padded] uint8, scale [..., 1]
  define([x, columnScale]) {
    const scaled = columnScale === undefined ? x! : mul(x!, columnScale);
    const scale = div(largestOfRows(scaled), LARGEST);
    const steps = inSteps(scaled, scale);
    const width = x!.shape.at(-1) as number;
    const padded = pad(steps, { axis: -1, before: 0, after: roundUp(width, DEPTH_STEP) - width });
    return [cast(add(padded, ZERO_POINT), "uint8"), scale];
  },
  lower: kernel("QuantizeRows"),
};

/**
 * Every row as bytes: q = round(x / scale) + 128 with scale = max |x| / 127.
 *
 * @param x [..., C] float32
 * @param columnScale [C]: multiplies the columns first
 * @returns q [..., C rounded up to a multiple of 64] uint8, padded with 128; scale [..., 1]
 */
export function quantizeRows(
  x: Tracer,
  columnScale?: Tracer,
): { readonly q: Tracer; readonly scale: Tracer } {
  const inputs = columnScale === undefined ? [x] : [x, columnScale];
  const [q, scale] = bindComposite(QUANTIZE_ROWS, inputs);
  return { q: q!, scale: scale! };
}

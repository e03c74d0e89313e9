// Rounding rows to whole steps of a scale, as composites of small weights and pages define it.
import { abs, add, div, floor, greater, max, mul, sum, where } from "../ops.ts";
import type { Tracer } from "../trace.ts";

const LAST = { axis: -1, keepDims: true } as const;

/**
 * The largest magnitude of each row, [..., 1]; NaN where a value is not finite. ONNX Runtime's maximum passes over NaN: the
 * sum makes it NaN, and adds 0 to others.
 */
export const largestOfRows = (x: Tracer): Tracer => add(max(abs(x), LAST), sum(mul(x, 0), LAST));

/** x in whole steps of its scale, half a step up; as it is where the scale is 0. */
export const inSteps = (x: Tracer, scale: Tracer): Tracer =>
  floor(add(div(x, where(greater(scale, 0), scale, 1)), 0.5));

// Passes over gradients, each one where there is a native kernel: the sum of squares, and the sum over micro-batches.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { add, cast, div, mul, sum, where } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const SUM_OF_SQUARES: Composite = {
  name: "sumOfSquares",
  // (x) → [] float32
  define: ([x]) => [cast(sum(mul(x!, x!)), "float32")],
  lower: kernel("SumOfSquares"),
};

const ACCUMULATE: Composite = {
  name: "accumulate",
  // (total, part, isFirst []) → total or 0, plus part / divisor
  define: ([total, part, isFirst], { divisor }) => [add(where(isFirst!, 0, total!), div(part!, divisor!))],
  inPlace: [[0, 0]],
  lower: kernel("Accumulate", { attributes: ({ divisor }) => ({ divisor: { float: divisor! } }) }),
};

/** The sum of all squared elements, [] float32. */
export const sumOfSquares = (x: Tracer): Tracer => bindComposite(SUM_OF_SQUARES, [x])[0]!;

/**
 * total + part / divisor, or part / divisor alone when `isFirst`; may be written over `total`.
 *
 * @param isFirst [] bool: whatever `total` holds then does not matter
 */
export const accumulate = (total: Tracer, part: Tracer, isFirst: Tracer, divisor: number): Tracer =>
  bindComposite(ACCUMULATE, [total, part, isFirst], { divisor })[0]!;

// The order of computation as a value: a value that is not there before another one is.
import type { Composite } from "../composite.ts";
import { Tensor } from "../tensor.ts";
import { bindComposite, type Tracer } from "../trace.ts";

/** See `after`. */
export const AFTER: Composite = {
  name: "after",
  // (x, upstream) → x
  define([x]) {
    return [x!];
  },
  pullback([g]) {
    return [g, undefined];
  },
  // A reshape to zeros, which stand for "as it is", times the other's number of elements: no copy is made, and the
  // runtime can neither fold it nor take what is computed from it for what is computed from x. It does fold `Shape`.
  lower(lowering, { inputs: [x, upstream], outputs }) {
    const zeros = lowering.constant(Tensor.zeros("int64", [x!.shape.length]));
    const shape = lowering.value("Mul", [lowering.value("Size", [upstream]), zeros]);
    lowering.emit("Reshape", [x, shape], outputs);
    return true;
  },
};

/**
 * x, which what is computed from the result must not be computed before `upstream` is.
 *
 * @param x any dtype and shape
 * @param upstream any value that is no constant
 */
export const after = (x: Tracer, upstream: Tracer): Tracer => bindComposite(AFTER, [x, upstream])[0]!;

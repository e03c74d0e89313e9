// The order of computation as a value: a value that is not there before another one is.
import type { Composite } from "../composite.ts";
import { DTYPES, type DType } from "../dtype.ts";
import type { Lowering } from "../onnx/lowering.ts";
import type { Var } from "../program.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const HALF: ReadonlySet<DType> = new Set(["float16", "bfloat16"]);

const vector = (lowering: Lowering, { shape }: Var, value: number): string =>
  lowering.integers(shape.map(() => value));

const zeros = (lowering: Lowering, variable: Var): string => vector(lowering, variable, 0);

/**
 * What `Size` is taken of. The CPU counts no 16-bit values: the runtime would widen them, and find that the wide value is
 * there already; so one element is taken out and widened.
 */
function counted(lowering: Lowering, upstream: Var): Var | string {
  if (!HALF.has(upstream.dtype) || upstream.shape.length === 0) return upstream;
  const element = lowering.value("Slice", [
    upstream,
    zeros(lowering, upstream),
    vector(lowering, upstream, 1),
  ]);
  return lowering.value("Cast", [element], { to: DTYPES.float32.onnxType });
}

/** See `after`. */
export const AFTER: Composite = {
  name: "after",
  // (x, upstream ...) → x
  define([x]) {
    return [x!];
  },
  pullback([g], [, ...upstreams]) {
    return [g, ...upstreams.map(() => undefined)];
  },
  // A reshape to zeros, which stand for "as it is", times the others' number of elements: no copy is made, and the
  // runtime can neither fold it nor take what is computed from it for what is computed from x. It does fold `Shape`.
  lower(lowering, { inputs: [x, ...upstreams], outputs }) {
    const sizes = upstreams.map((upstream) => lowering.value("Size", [counted(lowering, upstream)]));
    const size = sizes.reduce((sum, each) => lowering.value("Add", [sum, each]));
    const shape = lowering.value("Mul", [size, zeros(lowering, x!)]);
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

// The user's vocabulary: thin checked wrappers over `bind`. Compositions for networks are in `nn.ts`.

import type { DType } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import type { BinaryName, CompareName, UnaryName } from "./primitive.ts";
import { type Dim, normalizeAxis, type Shape, shapesEqual, sizeOf } from "./shape.ts";
import { scalar, Tensor } from "./tensor.ts";
import { bind, bindOne, currentBuilder, type Tracer } from "./trace.ts";

/** A tracer, or a number that becomes a constant of the other operand's dtype. */
export type Operand = Tracer | number;

/** A constant of the program: a small tensor, or a number of the given dtype (float32 by default). */
export function constant(value: Tensor | number, dtype: DType = "float32"): Tracer {
  return bindOne("constant", [], { tensor: value instanceof Tensor ? value : scalar(value, dtype) });
}

/**
 * A named constant that lives outside the program, such as a frozen parameter; given to `compile` as a weight.
 * The same path is the same value throughout a trace.
 */
export function weight(path: string, spec: { readonly dtype: DType; readonly shape: Shape }): Tracer {
  const { weights } = currentBuilder("weight");
  const known = weights.get(path) ?? bindOne("weight", [], { path, dtype: spec.dtype, shape: spec.shape });
  if (known.dtype !== spec.dtype || !shapesEqual(known.shape, spec.shape)) {
    throw new TensorError(
      "TENSOR_SHAPE_MISMATCH",
      `weight "${path}": used with two different dtypes or shapes`,
    );
  }
  weights.set(path, known);
  return known;
}

function lift(a: Operand, b: Operand, where: string): [Tracer, Tracer] {
  if (typeof a !== "number") return [a, typeof b === "number" ? constant(b, a.dtype) : b];
  if (typeof b !== "number") return [constant(a, b.dtype), b];
  throw new TensorError("TENSOR_INVALID_ARGUMENT", `${where}: at least one operand must be a tracer`);
}

const unary =
  (primitive: UnaryName) =>
  (x: Tracer): Tracer =>
    bindOne(primitive, [x], {});

const binary =
  (primitive: BinaryName | CompareName) =>
  (a: Operand, b: Operand): Tracer =>
    bindOne(primitive, lift(a, b, primitive), {});

/** −x */
export const neg = unary("neg");
/** eˣ */
export const exp = unary("exp");
/** natural logarithm */
export const log = unary("log");
/** square root */
export const sqrt = unary("sqrt");
/** sine, radians */
export const sin = unary("sin");
/** cosine, radians */
export const cos = unary("cos");
/** hyperbolic tangent */
export const tanh = unary("tanh");
/** 1 / (1 + e⁻ˣ) */
export const sigmoid = unary("sigmoid");
/** the error function */
export const erf = unary("erf");
/** |x| */
export const abs = unary("abs");
/** the largest integer not above x */
export const floor = unary("floor");
/** true where x is false */
export const logicalNot = unary("logicalNot");
/** a + b; operands broadcast */
export const add = binary("add");
/** a − b; operands broadcast */
export const sub = binary("sub");
/** a · b elementwise; operands broadcast */
export const mul = binary("mul");
/** a / b elementwise (integers: toward zero); operands broadcast */
export const div = binary("div");
/** aᵇ elementwise; operands broadcast */
export const pow = binary("pow");
/** the larger of a and b */
export const maximum = binary("maximum");
/** the smaller of a and b */
export const minimum = binary("minimum");
/** the remainder of a / b, with b's sign */
export const mod = binary("mod");
/** a = b */
export const equal = binary("equal");
/** a < b */
export const less = binary("less");
/** a ≤ b */
export const lessEqual = binary("lessEqual");
/** a > b */
export const greater = (a: Operand, b: Operand): Tracer => less(b, a);
/** a ≥ b */
export const greaterEqual = (a: Operand, b: Operand): Tracer => lessEqual(b, a);
/** a and b */
export const logicalAnd = binary("logicalAnd");
/** a or b */
export const logicalOr = binary("logicalOr");
/** Whether x is neither infinite nor NaN. */
export const isFinite = (x: Tracer): Tracer => less(abs(x), Number.POSITIVE_INFINITY);

/** a where the condition is true, b elsewhere; all three broadcast. */
export function where(condition: Tracer, a: Operand, b: Operand): Tracer {
  return bindOne("where", [condition, ...lift(a, b, "where")], {});
}

/** x in another dtype; floats to integers truncate toward zero. */
export const cast = (x: Tracer, dtype: DType): Tracer =>
  x.dtype === dtype ? x : bindOne("cast", [x], { dtype });

/** x, with a zero gradient. */
export const stopGradient = (x: Tracer): Tracer => bindOne("stopGradient", [x], {});

/**
 * Matrix product over the last two axes; leading axes broadcast.
 *
 * @param a [..., M, K], or [..., K, M] with `transposeA`
 * @param b [..., K, N], or [..., N, K] with `transposeB`
 * @throws TensorError `TENSOR_SHAPE_MISMATCH` when the inner dimensions differ
 */
export function matmul(
  a: Tracer,
  b: Tracer,
  options: { transposeA?: boolean; transposeB?: boolean } = {},
): Tracer {
  return bindOne("matmul", [a, b], {
    transposeA: options.transposeA ?? false,
    transposeB: options.transposeB ?? false,
  });
}

/** x with its axes in another order. */
export const transpose = (x: Tracer, permutation: readonly number[]): Tracer =>
  bindOne("transpose", [x], { permutation });

/** x with another shape of the same number of elements, row major. */
export const reshape = (x: Tracer, shape: Shape): Tracer =>
  shapesEqual(x.shape, shape) ? x : bindOne("reshape", [x], { shape });

/** x stretched to a shape, by the rule of broadcasting. */
export const broadcastTo = (x: Tracer, shape: Shape): Tracer =>
  shapesEqual(x.shape, shape) ? x : bindOne("broadcast", [x], { shape });

/** The positions start … end − 1 of one axis. */
export function slice(
  x: Tracer,
  range: { readonly axis: number; readonly start: Dim; readonly end: Dim },
): Tracer {
  const axis = normalizeAxis(range.axis, x.shape.length, "slice");
  return bindOne("slice", [x], { axis, start: range.start, end: range.end });
}

/** x with zeros before and after along one axis. */
export function pad(
  x: Tracer,
  amount: { readonly axis: number; readonly before: Dim; readonly after: Dim },
): Tracer {
  const axis = normalizeAxis(amount.axis, x.shape.length, "pad");
  return bindOne("pad", [x], { axis, before: amount.before, after: amount.after });
}

/** The values one after another along an axis; equal shapes off that axis. */
export function concat(xs: readonly Tracer[], axis: number): Tracer {
  const [first] = xs;
  if (first === undefined)
    throw new TensorError("TENSOR_INVALID_ARGUMENT", "concat: expected at least one value");
  return xs.length === 1
    ? first
    : bindOne("concat", xs, { axis: normalizeAxis(axis, first.shape.length, "concat") });
}

/** Consecutive parts of x along an axis; the sizes must add up to it. */
export function split(
  x: Tracer,
  options: { readonly axis: number; readonly sizes: Shape },
): readonly Tracer[] {
  return bind("split", [x], {
    axis: normalizeAxis(options.axis, x.shape.length, "split"),
    sizes: options.sizes,
  });
}

/** Which axes a reduction removes, and whether they stay with size 1. */
export interface ReduceOptions {
  /** one axis or several; all by default */
  readonly axis?: number | readonly number[];
  readonly keepDims?: boolean;
}

function reduce(
  primitive: "reduceSum" | "reduceMax",
  x: Tracer,
  { axis, keepDims = false }: ReduceOptions,
): Tracer {
  const axes = axesOf(x, axis, primitive);
  const kept = bindOne(primitive, [x], { axes });
  return keepDims
    ? kept
    : reshape(
        kept,
        x.shape.filter((_, index) => !axes.includes(index)),
      );
}

function axesOf(x: Tracer, axis: ReduceOptions["axis"], where: string): number[] {
  const list = axis === undefined ? x.shape.map((_, index) => index) : [axis].flat();
  return list.map((each) => normalizeAxis(each as number, x.shape.length, where)).sort((a, b) => a - b);
}

/** The sum over axes. */
export const sum = (x: Tracer, options: ReduceOptions = {}): Tracer => reduce("reduceSum", x, options);

/** The largest element over axes. */
export const max = (x: Tracer, options: ReduceOptions = {}): Tracer => reduce("reduceMax", x, options);

/** The mean over axes. */
export function mean(x: Tracer, options: ReduceOptions = {}): Tracer {
  const count = sizeOf(axesOf(x, options.axis, "mean").map((axis) => x.shape[axis]!));
  return div(sum(x, options), dimValue(count, x.dtype));
}

/** A size as a scalar of the program: a constant, or read from the shapes when running. */
export function dimValue(size: Dim, dtype: DType): Tracer {
  if (typeof size === "number") return constant(size, dtype);
  const ones = broadcastTo(constant(1, dtype), [size]);
  return reshape(bindOne("reduceSum", [ones], { axes: [0] }), []);
}

/** The int64 index of the first largest element; the axis is removed. */
export function argmax(x: Tracer, options: { readonly axis: number }): Tracer {
  return bindOne("argmax", [x], { axis: normalizeAxis(options.axis, x.shape.length, "argmax") });
}

/** Rows of a table: [N, ...rest] and indices [...] give [..., ...rest]. */
export const gather = (table: Tracer, indices: Tracer): Tracer => bindOne("gather", [table, indices], {});

/** [size, ...rest] of zeros with every update added at its index. */
export const scatterAdd = (size: Dim, indices: Tracer, updates: Tracer): Tracer =>
  bindOne("scatterAdd", [indices, updates], { size });

/**
 * x with updates in place of what is at their indices.
 *
 * @param indices [..., R], integers: each names a place by its position on x's first R axes; no two the same
 * @param updates [..., ...rest], rest being x's other axes
 */
export const scatter = (x: Tracer, indices: Tracer, updates: Tracer): Tracer =>
  bindOne("scatter", [x, indices, updates], {});

/** Elements of x along an axis; indices have x's shape off that axis. */
export const takeAlong = (x: Tracer, indices: Tracer, axis: number): Tracer =>
  bindOne("takeAlong", [x, indices], { axis: normalizeAxis(axis, x.shape.length, "takeAlong") });

/** 0, 1, … length − 1. */
export const iota = (length: Dim, dtype: DType = "int64"): Tracer =>
  bindOne("iota", [], { size: length, dtype });

/** A value of the given shape, every element the same. */
export const full = (shape: Shape, value: number, dtype: DType = "float32"): Tracer =>
  broadcastTo(constant(value, dtype), shape);

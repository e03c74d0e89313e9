// For tests only: closeness by dtype, finite differences, and seeded random tensors.

import type { DType } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import { evaluate, isTensor, type TensorsByPath } from "./evaluate.ts";
import { vjp } from "./grad.ts";
import { add, cast, constant, mul, sum } from "./ops.ts";
import { randomNormal } from "./random.ts";
import { Tensor } from "./tensor.ts";
import { isTracer, spec, type Tracer, trace } from "./trace.ts";
import { flatten, mapTree } from "./tree.ts";

/** Largest accepted |got − expected| / (1 + |expected|) by dtype: a few units in the last place of a short sum. */
export const TOLERANCES: Readonly<Record<DType, number>> = {
  float64: 1e-10,
  float32: 2e-5,
  float16: 5e-3,
  bfloat16: 4e-2,
  int8: 0,
  uint8: 0,
  int16: 0,
  int32: 0,
  int64: 0,
  bool: 0,
};

/** A seeded tensor of normal numbers. */
export function randomTensor(shape: readonly number[], seed: number, dtype: DType = "float64"): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return Tensor.fromArray(dtype, shape, randomNormal(seed, count));
}

/** The largest |got − expected| / (1 + |expected|). */
export function relativeError(got: Tensor, expected: Tensor): number {
  if (String(got.shape) !== String(expected.shape)) {
    throw new TensorError("TENSOR_SHAPE_MISMATCH", `got [${got.shape}], expected [${expected.shape}]`);
  }
  const [a, b] = [got.toNumbers(), expected.toNumbers()];
  return a.reduce((worst, value, index) => {
    const error = Math.abs(value - b[index]!) / (1 + Math.abs(b[index]!));
    return value === b[index]
      ? worst
      : Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }, 0);
}

/** A random weighting that turns any tree of floating tracers into a scalar. */
function project(tree: unknown, seed: number): Tracer {
  const parts = flatten(tree, isTracer).map(({ leaf }, index) => {
    const weights = randomTensor(leaf.shape as readonly number[], seed + index);
    return sum(mul(cast(leaf, "float64"), constant(weights)));
  });
  return parts.reduce((a, b) => add(a, b));
}

/**
 * Compares a function's gradient with central differences in one random direction, in float64.
 *
 * @param fn tracers to a tracer or tree of tracers; all arguments float64, static shapes
 * @returns |analytic − numeric| / (1 + |numeric|)
 * @see the direction check of jax's `check_vjp`
 */
export function gradientError(
  fn: (...args: Tracer[]) => unknown,
  args: readonly Tensor[],
  options: { readonly seed?: number; readonly step?: number; readonly weights?: TensorsByPath } = {},
): number {
  const { seed = 7, step = 1e-5, weights = new Map() } = options;
  const program = trace(
    (...tracers: Tracer[]) => {
      const { result, pullback } = vjp((at: readonly Tracer[]) => project(fn(...at), seed), tracers);
      return { value: result, gradient: pullback(result, constant(1, "float64")) };
    },
    args.map(({ dtype, shape }) => spec(dtype, shape)),
  );
  const run = (at: readonly Tensor[]) =>
    evaluate(program, at, weights) as { value: Tensor; gradient: Tensor[] };
  const directions = args.map(({ shape }, index) => randomTensor(shape, seed + 100 + index));
  const moved = (sign: number) =>
    args.map((arg, index) => {
      const direction = directions[index]!.toNumbers();
      return Tensor.fromArray(
        "float64",
        arg.shape,
        arg.toNumbers().map((x, n) => x + sign * step * direction[n]!),
      );
    });
  const numeric = (run(moved(1)).value.toNumbers()[0]! - run(moved(-1)).value.toNumbers()[0]!) / (2 * step);
  const analytic = run(args).gradient.reduce((total, gradient, index) => {
    const direction = directions[index]!.toNumbers();
    return gradient.toNumbers().reduce((part, g, n) => part + g * direction[n]!, total);
  }, 0);
  return Math.abs(analytic - numeric) / (1 + Math.abs(numeric));
}

/** The tree of tensors with every floating leaf in another dtype. */
export const castTree = (tree: unknown, dtype: DType): unknown =>
  mapTree(tree, isTensor, (leaf) =>
    leaf.dtype === "float64" ? Tensor.fromArray(dtype, leaf.shape, leaf.toNumbers()) : leaf,
  );

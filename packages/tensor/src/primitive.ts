// The closed set of primitives and their parameters. Adding one means a shape rule, a pullback, an evaluation, a lowering, a test.
import type { Composite } from "./composite.ts";
import type { DType } from "./dtype.ts";
import type { Dim, Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

type None = Readonly<Record<never, never>>;

/** Elementwise functions of one value. */
export type UnaryName =
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "abs"
  | "floor"
  | "logicalNot";

/** Elementwise functions of two values, which broadcast. `mod` takes the sign of the divisor. */
export type BinaryName = "add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum" | "mod";

/** Elementwise predicates of two values, which broadcast; the result is bool. */
export type CompareName = "equal" | "less" | "lessEqual" | "logicalAnd" | "logicalOr";

/** Parameters by primitive. Shapes of inputs and outputs are in `rules/shape.ts`. */
export interface PrimitiveParams extends Record<UnaryName | BinaryName | CompareName, None> {
  /** (condition, a, b), which broadcast */
  where: None;
  cast: { readonly dtype: DType };
  /** [..., M, K] · [..., K, N], each optionally stored transposed; leading axes broadcast */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  transpose: { readonly permutation: readonly number[] };
  reshape: { readonly shape: Shape };
  broadcast: { readonly shape: Shape };
  slice: { readonly axis: number; readonly start: Dim; readonly end: Dim };
  /** zeros before and after along one axis; the pullback of `slice` */
  pad: { readonly axis: number; readonly before: Dim; readonly after: Dim };
  concat: { readonly axis: number };
  /** several outputs, the pullback of `concat` */
  split: { readonly axis: number; readonly sizes: Shape };
  reduceSum: { readonly axes: readonly number[] };
  reduceMax: { readonly axes: readonly number[] };
  /** int64 index of the first largest element; the axis is removed */
  argmax: { readonly axis: number };
  /** (table [N, ...], indices [...]) → rows of the table */
  gather: None;
  /** (indices [...], updates [..., ...rest]) → [size, ...rest], zeros where no index points; the pullback of `gather` */
  scatterAdd: { readonly size: Dim };
  /**
   * (x, indices [..., R], updates [..., ...rest]) → x with updates in the places that indices of its first R axes name, each
   * at most once
   */
  scatter: None;
  /** (x, indices) → elements of x along an axis; shapes equal off the axis */
  takeAlong: { readonly axis: number };
  /** (indices, updates) → zeros with updates added along an axis; the pullback of `takeAlong` */
  addAlong: { readonly axis: number; readonly size: Dim };
  /** 0, 1, … size − 1 */
  iota: { readonly size: Dim; readonly dtype: DType };
  constant: { readonly tensor: Tensor };
  /** a named constant that lives outside the program */
  weight: { readonly path: string; readonly dtype: DType; readonly shape: Shape };
  stopGradient: None;
  /** one operation with its own definition, pullback and lowering */
  composite: { readonly composite: Composite; readonly attributes: Readonly<Record<string, number>> };
}

/** The name of a primitive. */
export type PrimitiveName = keyof PrimitiveParams;

// Products of which one size is small, as the factors of an adapter make them: when the native kernels take them.
import type { Equation, Var } from "../program.ts";
import type { Lowering, Operand } from "./lowering.ts";

type Matmul = Extract<Equation, { primitive: "matmul" }>;

/** A thin size is at most this; the kernels keep that many sums at hand. */
const MOST_THIN = 32;
/** Below this width there is nothing to gain from reading the wide operand once. */
const LEAST_WIDE = 64;

type Size = Var["shape"][number] | undefined;
const isThin = (size: Size): boolean => typeof size === "number" && size >= 1 && size <= MOST_THIN;
const isWide = (size: Size): boolean => typeof size === "number" && size >= LEAST_WIDE;

interface NativeProduct {
  readonly operator: "ThinReduce" | "ThinExpand" | "ThinOuter";
  readonly operands: readonly Operand[];
  readonly transposed: boolean;
}

/** rows [..., wide] or [..., thin] times a factor of two axes; transposed when the factor is [wide, thin]. */
function productOfRows(a: Var, b: Var, transposeB: boolean): NativeProduct | undefined {
  const [depth, columns] = transposeB ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]];
  if (isWide(depth) && isThin(columns))
    return { operator: "ThinReduce", operands: [a, b], transposed: !transposeB };
  if (isThin(depth) && isWide(columns))
    return { operator: "ThinExpand", operands: [a, b], transposed: transposeB };
  return undefined;
}

/** aᵀ b summed over rows; transposed when the thin operand is the second. */
function productOverRows(a: Var, b: Var): NativeProduct | undefined {
  const [left, right] = [a.shape[1], b.shape[1]];
  if (isThin(left) && isWide(right)) return { operator: "ThinOuter", operands: [a, b], transposed: false };
  if (isWide(left) && isThin(right)) return { operator: "ThinOuter", operands: [b, a], transposed: true };
  return undefined;
}

function nativeProduct({ inputs, params: { transposeA, transposeB } }: Matmul): NativeProduct | undefined {
  const [a, b] = inputs as readonly [Var, Var];
  if (a.dtype !== "float32" || b.shape.length !== 2) return undefined;
  if (!transposeA) return productOfRows(a, b, transposeB);
  return a.shape.length === 2 && !transposeB ? productOverRows(a, b) : undefined;
}

/**
 * Adds a product with a thin size as a native operator.
 *
 * @returns whether it was added: only where there are native kernels, for float32 with a static thin size up to 32, a
 * static wide one from 64, and a right operand of two axes
 */
export function lowerThinMatmul(lowering: Lowering, equation: Matmul): boolean {
  const product = nativeProduct(equation);
  if (product === undefined) return false;
  const { operator, operands, transposed } = product;
  return lowering.emitNative(operator, operands, equation.outputs, { transposed: Number(transposed) });
}

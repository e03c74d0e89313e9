// Products of two matrices that both change from run to run, as training all weights makes them: when a native kernel takes them.
import type { Equation, Var } from "../program.ts";
import type { Lowering } from "./lowering.ts";

type Matmul = Extract<Equation, { primitive: "matmul" }>;

/** A size known to be smaller leaves too much of a register tile unused. */
const LEAST_WIDE = 64;

/** Whether the sizes that are known are wide, and at least two of the three are known. */
function areWide(sizes: readonly Var["shape"][number][]): boolean {
  const known = sizes.filter((size) => typeof size === "number");
  return known.length >= 2 && known.every((size) => size >= LEAST_WIDE);
}

function isTaken({ inputs, params: { transposeA } }: Matmul): boolean {
  const [a, b] = inputs as readonly [Var, Var];
  if (a.dtype !== "float32" || b.shape.length !== 2 || (transposeA && a.shape.length !== 2)) return false;
  const rows = transposeA ? [a.shape[1]!] : a.shape.length === 2 ? [a.shape[0]!] : [];
  return areWide([...rows, b.shape[0]!, b.shape[1]!]);
}

/**
 * Adds a product of float32 matrices as a native operator. A frozen weight is left to the runtime, which packs it once.
 *
 * @returns whether it was added: only where there are native kernels, for wide sizes, and a right operand of two axes
 */
export function lowerWideMatmul(lowering: Lowering, equation: Matmul): boolean {
  const { inputs, outputs, params } = equation;
  if (!isTaken(equation) || inputs.some((input) => lowering.isWeight(input))) return false;
  return lowering.emitNative("Product", inputs, outputs, {
    transpose_a: Number(params.transposeA),
    transpose_b: Number(params.transposeB),
  });
}

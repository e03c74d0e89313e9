// Program to program: products with frozen weights in 16-bit floats, for devices that multiply them fast. Everything else,
// such as norms, attention, the loss and what is trained, stays in float32.
import { abs, cast, div, gather, matmul, max, maximum, mul, weight } from "../ops.ts";
import type { Equation, Program } from "../program.ts";
import { type Replace, rewriteProgram } from "../rewrite.ts";
import type { HalfDType } from "../saved-activations.ts";
import { bind, type Tracer } from "../trace.ts";

/** Keeps a row of zeros from being divided by zero. */
const SMALLEST_SCALE = 1e-30;

/** A frozen weight's equation. */
type WeightEquation = Extract<Equation, { primitive: "weight" }>;

/**
 * The program with its products by frozen float32 matrices computed in 16 bits: the matrix is held in `dtype`, and what
 * it multiplies is rounded to it; the result is float32. Rows looked up in such a matrix are the rounded ones.
 *
 * In float16 every row is divided by its largest magnitude first and the result multiplied by it, so neither large
 * activations overflow nor small gradients vanish: there is no loss scale to choose.
 */
export const toHalf = (program: Program, dtype: HalfDType): Program =>
  rewriteProgram(program, halvesOf(program, dtype));

/** How `toHalf` rewrites the program. */
export function halvesOf(program: Program, dtype: HalfDType): Replace {
  const held = heldWeights(program);
  return (equation, valueOf) => {
    const { primitive, inputs, params } = equation;
    if (primitive === "weight" && held.has(equation.outputs[0]!.id)) {
      return [weight(params.path, { dtype, shape: params.shape })];
    }
    if (!inputs.some(({ id }) => held.has(id))) return undefined;
    const [first, second] = inputs.map(valueOf);
    if (isHeldProduct(equation, held)) return [product(first!, second!, params as { transposeB: boolean })];
    if (primitive === "gather") return [cast(gather(first!, second!), "float32")];
    const widened = inputs.map((input) =>
      held.has(input.id) ? cast(valueOf(input), "float32") : valueOf(input),
    );
    return bind(primitive, widened, params as never);
  };
}

/** x [..., in] by a weight in 16 bits, in float32. */
function product(x: Tracer, matrix: Tracer, { transposeB }: { readonly transposeB: boolean }): Tracer {
  const { dtype } = matrix;
  if (dtype !== "float16") return cast(matmul(cast(x, dtype), matrix, { transposeB }), "float32");
  const scale = maximum(max(abs(x), { axis: -1, keepDims: true }), SMALLEST_SCALE);
  const rounded = matmul(cast(div(x, scale), dtype), matrix, { transposeB });
  return mul(cast(rounded, "float32"), scale);
}

/** Ids of the float32 matrices that some product reads on its right and that are no results themselves. */
function heldWeights({ equations, outputs }: Program): ReadonlySet<number> {
  const matrices = new Set(
    equations
      .filter((equation): equation is WeightEquation => equation.primitive === "weight")
      .filter(({ params }) => params.dtype === "float32" && params.shape.length === 2)
      .map((equation) => equation.outputs[0]!.id),
  );
  for (const { variable } of outputs) matrices.delete(variable.id);
  const products = equations.filter((equation) => isHeldProduct(equation, matrices));
  return new Set(products.map(({ inputs }) => inputs[1]!.id));
}

function isHeldProduct(equation: Equation, held: ReadonlySet<number>): boolean {
  if (equation.primitive !== "matmul" || equation.params.transposeA) return false;
  const [x, matrix] = equation.inputs;
  return held.has(matrix!.id) && !held.has(x!.id);
}

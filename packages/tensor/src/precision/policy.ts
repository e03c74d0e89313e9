// Program to program: products with frozen weights become the products of a precision policy.
import { int8Linear, int8LinearTransposed } from "../composites/int8-linear.ts";
import {
  bfloat16Linear,
  bfloat16LinearTransposed,
  int4Linear,
  int4LinearTransposed,
} from "../composites/panel-linear.ts";
import { weight } from "../ops.ts";
import type { Equation, Program } from "../program.ts";
import { rewriteProgram } from "../rewrite.ts";
import type { Tracer } from "../trace.ts";
import {
  canHold,
  type MatrixSize,
  PARTS,
  type PartSpec,
  type Policy,
  type PrecisionChoice,
  partPath,
} from "./parts.ts";

/** A frozen weight [out, in] by its name in the source. */
interface FrozenMatrix extends MatrixSize {
  readonly path: string;
}

type PartsOf<P extends Policy> = { readonly [Part in keyof ReturnType<(typeof PARTS)[P]>]: Tracer };

/** The parts of a weight as named constants. */
function partsOf<P extends Policy>(policy: P, matrix: FrozenMatrix): PartsOf<P> & MatrixSize {
  const specs: Readonly<Record<string, PartSpec>> = PARTS[policy](matrix);
  const parts = Object.entries(specs).map(([part, spec]) => [
    part,
    weight(partPath(matrix.path, policy, part), spec),
  ]);
  return { ...(Object.fromEntries(parts) as PartsOf<P>), out: matrix.out, in: matrix.in };
}

/** A product with a frozen weight: x [..., in] → [..., out], or transposed. */
type Product = (x: Tracer, matrix: FrozenMatrix) => Tracer;

/** x · Wᵀ and x · W under each policy. */
const PRODUCTS: Readonly<Record<Policy, { readonly linear: Product; readonly transposed: Product }>> = {
  int8: {
    linear: (x, matrix) => int8Linear(x, partsOf("int8", matrix)),
    transposed: (x, matrix) => int8LinearTransposed(x, partsOf("int8", matrix)),
  },
  bfloat16: {
    linear: (x, matrix) => bfloat16Linear(x, partsOf("bfloat16", matrix)),
    transposed: (x, matrix) => bfloat16LinearTransposed(x, partsOf("bfloat16", matrix)),
  },
  int4: {
    linear: (x, matrix) => int4Linear(x, partsOf("int4", matrix)),
    transposed: (x, matrix) => int4LinearTransposed(x, partsOf("int4", matrix)),
  },
};

/** The program with its products by frozen float32 matrices computed as the policy says. */
export function applyPrecision(program: Program, choice: PrecisionChoice): Program {
  if (choice === "float32") return program;
  const precisionOf = typeof choice === "function" ? choice : () => choice;
  const frozen = frozenMatrices(program);
  return rewriteProgram(program, (equation, valueOf) => {
    if (equation.primitive !== "matmul" || equation.params.transposeA) return undefined;
    const matrix = frozen.get(equation.inputs[1]!.id);
    const x = valueOf(equation.inputs[0]!);
    if (matrix === undefined || x.dtype !== "float32") return undefined;
    const precision = precisionOf(matrix.path);
    if (precision === "float32" || !canHold(precision, matrix)) return undefined;
    const { linear, transposed } = PRODUCTS[precision];
    return [(equation.params.transposeB ? linear : transposed)(x, matrix)];
  });
}

/** The float32 weights of two axes, by variable. */
function frozenMatrices(program: Program): Map<number, FrozenMatrix> {
  const found = new Map<number, FrozenMatrix>();
  for (const equation of program.equations) {
    const matrix = matrixOf(equation);
    if (matrix !== undefined) found.set(equation.outputs[0]!.id, matrix);
  }
  return found;
}

function matrixOf(equation: Equation): FrozenMatrix | undefined {
  if (equation.primitive !== "weight" || equation.params.dtype !== "float32") return undefined;
  const { path, shape } = equation.params;
  return shape.length === 2 ? { path, out: shape[0] as number, in: shape[1] as number } : undefined;
}

// Program to program: products with frozen weights become the products of a precision policy, and tables of frozen rows are
// held in 16 bits.
import { int4BlockLinear, int8BlockLinear } from "../composites/block-linear.ts";
import { int8Linear, int8LinearTransposed } from "../composites/int8-linear.ts";
import { int8Rows } from "../composites/int8-rows.ts";
import {
  bfloat16Linear,
  bfloat16LinearTransposed,
  int4Linear,
  int4LinearTransposed,
  int16Linear,
  int16LinearTransposed,
} from "../composites/panel-linear.ts";
import { cast, gather, weight } from "../ops.ts";
import type { Equation, Program, Var } from "../program.ts";
import { type Replace, rewriteProgram } from "../rewrite.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import {
  type Form,
  type MatrixSize,
  PARTS,
  type PartSpec,
  type Policy,
  type PrecisionByPath,
  type PrecisionChoice,
  partPath,
  policyFor,
  type WeightUse,
} from "./parts.ts";

/** A frozen weight [out, in] by its name in the source. */
interface FrozenMatrix extends MatrixSize {
  readonly path: string;
}

type PartsOf<P extends Form> = { readonly [Part in keyof ReturnType<(typeof PARTS)[P]>]: Tracer };

/** The parts of a weight as named constants. */
function partsOf<P extends Form>(form: P, matrix: FrozenMatrix): PartsOf<P> & MatrixSize {
  const specs: Readonly<Record<string, PartSpec>> = PARTS[form](matrix);
  const parts = Object.entries(specs).map(([part, spec]) => [
    part,
    weight(partPath(matrix.path, form, part), spec),
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
  int16: {
    linear: (x, matrix) => int16Linear(x, partsOf("int16", matrix)),
    transposed: (x, matrix) => int16LinearTransposed(x, partsOf("int16", matrix)),
  },
  int4: {
    linear: (x, matrix) => int4Linear(x, partsOf("int4", matrix)),
    transposed: (x, matrix) => int4LinearTransposed(x, partsOf("int4", matrix)),
  },
  int8Blockwise: {
    linear: (x, matrix) => int8BlockLinear(x, partsOf("int8", matrix)),
    transposed: (x, matrix) => int8LinearTransposed(x, partsOf("int8", matrix)),
  },
  int4Blockwise: {
    linear: (x, matrix) => int4BlockLinear(x, partsOf("int4", matrix)),
    transposed: (x, matrix) => int4LinearTransposed(x, partsOf("int4", matrix)),
  },
  int8BlockwiseFine: {
    linear: (x, matrix) => int8BlockLinear(x, partsOf("int8", matrix), 2),
    transposed: (x, matrix) => int8LinearTransposed(x, partsOf("int8", matrix)),
  },
  int4BlockwiseFine: {
    linear: (x, matrix) => int4BlockLinear(x, partsOf("int4", matrix), 2),
    transposed: (x, matrix) => int4LinearTransposed(x, partsOf("int4", matrix)),
  },
};

/**
 * The program with its products by frozen float32 matrices computed as the policy says, and with the matrices that it
 * looks rows up in held in float16; where a product of rows in blocks reads the same matrix, as a tied output head, its
 * bytes serve both.
 */
export function applyPrecision(program: Program, choice: Exclude<PrecisionChoice, "float16">): Program {
  const products = productsOf(program, choice);
  return products === undefined ? program : rewriteProgram(program, products);
}

/** How `applyPrecision` rewrites the program; undefined where nothing changes. */
export function productsOf(
  program: Program,
  choice: Exclude<PrecisionChoice, "float16">,
): Replace | undefined {
  if (choice === "float32") return undefined;
  const precisionOf = typeof choice === "function" ? choice : () => choice;
  const frozen = frozenMatrices(program);
  if ([...frozen.values()].every(({ path }) => precisionOf(path, "linear") === "float32")) return undefined;
  const inBytes = productsInBytes(program, frozen, precisionOf);
  return (equation, valueOf) => {
    if (equation.primitive === "composite") return allowBfloat16(equation, valueOf);
    const place = MATRIX_OPERANDS[equation.primitive];
    const matrix = place === undefined ? undefined : frozen.get(equation.inputs[place]!.id);
    const use = useOf(equation);
    if (matrix === undefined || use === undefined) return undefined;
    const policy = policyFor(precisionOf(matrix.path, use), matrix);
    if (policy === "float32") return undefined;
    const other = valueOf(equation.inputs[1 - place!]!);
    if (use === "rows") return [rowsOf(matrix, other, inBytes.has(matrix.path))];
    return [PRODUCTS[policy][use](other, matrix)];
  };
}

/** Rows of a matrix in float32. */
function rowsOf(matrix: FrozenMatrix, indices: Tracer, isInBytes: boolean): Tracer {
  if (isInBytes && indices.dtype === "int64") return int8Rows(indices, partsOf("int8", matrix));
  return cast(gather(partsOf("float16", matrix).rows, indices), "float32");
}

/** Paths of the matrices that products in blocks of 8 bits read. */
function productsInBytes(
  { equations }: Program,
  frozen: ReadonlyMap<number, FrozenMatrix>,
  precisionOf: PrecisionByPath,
): ReadonlySet<string> {
  const paths = equations.flatMap((equation) => {
    const matrix = useOf(equation) === "linear" ? frozen.get(equation.inputs[1]!.id) : undefined;
    const policy = matrix && policyFor(precisionOf(matrix.path, "linear"), matrix);
    return policy?.startsWith("int8Blockwise") ? [matrix!.path] : [];
  });
  return new Set(paths);
}

/** Which operand of a primitive may be a matrix in a form of its own. */
const MATRIX_OPERANDS: { readonly [P in Equation["primitive"]]?: number } = { matmul: 1, gather: 0 };

/** What an equation reads that operand for, where a form of its own serves. */
function useOf(equation: Equation): WeightUse | undefined {
  if (equation.primitive === "gather") return "rows";
  if (equation.primitive !== "matmul" || equation.params.transposeA) return undefined;
  if (equation.inputs[0]!.dtype !== "float32") return undefined;
  return equation.params.transposeB ? "linear" : "transposed";
}

/** Attention may use matrix tiles of bfloat16 where the weights beside it are rounded further. */
function allowBfloat16(
  { inputs, params }: Extract<Equation, { primitive: "composite" }>,
  valueOf: (variable: Var) => Tracer,
): readonly Tracer[] | undefined {
  if (params.attributes.allowBfloat16 !== 0) return undefined;
  return bindComposite(params.composite, inputs.map(valueOf), { ...params.attributes, allowBfloat16: 1 });
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

// How many multiplications and additions an operator did, from its name and the shapes in the runtime's profile.

/** A tensor in the profile: `{ float: [2, 512, 576] }`. */
export type TypedShape = Readonly<Record<string, readonly number[]>>;

/** What a product multiplies; its peak rate on a machine follows from this. */
export type ProductType = "int8" | "bfloat16" | "float32";

/** The operations of one call. */
export interface ProductWork {
  readonly type: ProductType;
  readonly operations: number;
}

/** An operator's own type and count. */
interface Rule {
  readonly names: RegExp;
  readonly type: ProductType;
  readonly operations: (inputs: readonly TypedShape[], output: TypedShape) => number;
}

const RULES: readonly Rule[] = [
  { names: /^Int8(Block)?Linear(Transposed)?$/, type: "int8", operations: linear },
  // Three products of one size; input 3 has a scale for each inner column.
  {
    names: /^Int8FeedForward$/,
    type: "int8",
    operations: (inputs, y) => 6 * elementsOf(y) * elementsOf(inputs[3]!),
  },
  { names: /^(Bfloat16|Int4|Float16)Linear/, type: "bfloat16", operations: linear },
  // Two products of half a square each, and five to differentiate them, one of which computes the forward again.
  { names: /^Attention$/, type: "bfloat16", operations: ([query]) => 2 * causalSquare(query!) },
  { names: /^AttentionGrad$/, type: "bfloat16", operations: ([gradient]) => 5 * causalSquare(gradient!) },
  { names: /MatMulInteger|DynamicQuantizeMatMul/, type: "int8", operations: matmul },
  { names: /MatMul|Gemm/, type: "float32", operations: matmul },
];

/** The work of a product; undefined for every other operator. */
export function productWork(
  operator: string,
  inputs: readonly TypedShape[],
  outputs: readonly TypedShape[],
): ProductWork | undefined {
  const rule = RULES.find(({ names }) => names.test(operator));
  if (rule === undefined || inputs.length < 2 || outputs.length === 0) return undefined;
  return { type: rule.type, operations: rule.operations(inputs, outputs[0]!) };
}

/** The type's own peak; without a matrix unit the kernels compute 16-bit products in float32. */
export const peakType = (type: ProductType, unit: string): ProductType =>
  type === "bfloat16" && unit !== "tiles" ? "float32" : type;

/** Rows [.., K] by a packed weight, whose own shape says nothing. */
function linear([rows]: readonly TypedShape[], output: TypedShape): number {
  return 2 * elementsOf(output) * dimensions(rows!).at(-1)!;
}

/** 2·m·k·n of [m, k]·[k, n] is 2·√(mk · kn · mn), whichever is transposed; for b such products √ of the whole over b. */
function matmul([a, b]: readonly TypedShape[], output: TypedShape): number {
  const batch = dimensions(b!)
    .slice(0, -2)
    .reduce((product, size) => product * size, 1);
  return 2 * Math.sqrt((elementsOf(a!) * elementsOf(b!) * elementsOf(output)) / batch);
}

/** B·T²·C of [B, T, C]: one product of all heads over the causal half, two operations each. */
function causalSquare(shape: TypedShape): number {
  return elementsOf(shape) * dimensions(shape).at(-2)!;
}

const dimensions = (shape: TypedShape): readonly number[] => Object.values(shape)[0]!;

/** Number of elements. */
export const elementsOf = (shape: TypedShape): number =>
  dimensions(shape).reduce((product, size) => product * size, 1);

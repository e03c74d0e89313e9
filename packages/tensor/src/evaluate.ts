// The interpreter: runs a program equation by equation with plain loops. The oracle of every other executor.
import type { TensorSpec } from "./composite.ts";
import { TensorError } from "./errors.ts";
import type { Program, Var } from "./program.ts";
import { EVALUATE_RULES, type Sizes } from "./rules/evaluate.ts";
import { bindSizes } from "./sizes.ts";
import { Tensor } from "./tensor.ts";
import { expandComposite } from "./trace.ts";
import { flatten } from "./tree.ts";

/** Named constants by path. */
export type TensorsByPath = ReadonlyMap<string, Tensor>;

/** Whether a leaf of a tree is a `Tensor`. */
export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * A program's results, computed one element at a time on the host.
 *
 * @param args one tree of `Tensor` per argument of the traced function
 * @param weights the named constants the program mentions
 * @throws TensorError `TENSOR_SHAPE_MISMATCH`, `TENSOR_DTYPE_MISMATCH` for arguments that do not fit, `TENSOR_WEIGHT_MISSING`
 */
export function evaluate(
  program: Program,
  args: readonly unknown[],
  weights: TensorsByPath = new Map(),
): unknown {
  const leaves = flatten(args, isTensor).map(({ leaf }) => leaf);
  return program.rebuildOutputs(evaluateLeaves(program, leaves, weights));
}

function evaluateLeaves(program: Program, leaves: readonly Tensor[], weights: TensorsByPath): Tensor[] {
  const sizes = bindSizes(program.inputs, leaves);
  const values = new Map<number, Tensor>();
  for (const [index, { variable }] of program.inputs.entries()) values.set(variable.id, leaves[index]!);
  for (const equation of program.equations) {
    const inputs = equation.inputs.map(({ id }) => values.get(id)!);
    const outputs = evaluateEquation(equation, inputs, sizes, weights);
    for (const [index, { id }] of equation.outputs.entries()) values.set(id, outputs[index]!);
  }
  return program.outputs.map(({ variable }) => values.get(variable.id)!);
}

function evaluateEquation(
  equation: Program["equations"][number],
  inputs: readonly Tensor[],
  sizes: Sizes,
  weights: TensorsByPath,
): readonly Tensor[] {
  if (equation.primitive === "weight") return [weightAt(equation.params.path, equation.outputs[0]!, weights)];
  if (equation.primitive === "composite") {
    const specs: TensorSpec[] = inputs.map(({ dtype, shape }) => ({ dtype, shape }));
    const definition = expandComposite(equation.params.composite, specs, equation.params.attributes);
    return evaluateLeaves(definition, inputs, weights);
  }
  return EVALUATE_RULES[equation.primitive](inputs, equation.params as never, sizes);
}

function weightAt(path: string, expected: Var, weights: TensorsByPath): Tensor {
  const tensor = weights.get(path);
  if (tensor === undefined)
    throw new TensorError("TENSOR_WEIGHT_MISSING", `weight "${path}": not among the weights given`);
  if (tensor.dtype !== expected.dtype || String(tensor.shape) !== String(expected.shape)) {
    throw new TensorError(
      "TENSOR_SHAPE_MISMATCH",
      `weight "${path}": the program expects ${expected.dtype}[${expected.shape}], got ${tensor.dtype}[${tensor.shape}]`,
    );
  }
  return tensor;
}

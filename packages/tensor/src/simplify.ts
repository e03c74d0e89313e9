// Program to program, meaning preserved: each rewrite is named and can be used alone.
import type { Equation, Program, Var } from "./program.ts";
import { EVALUATE_RULES } from "./rules/evaluate.ts";
import { evaluateShape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** All rewrites, in the order that lets one feed the next. */
export const SIMPLIFICATIONS: readonly ((program: Program) => Program)[] = [
  removeDeadCode,
  foldScalars,
  shareCommonSubexpressions,
  removeDeadCode,
];

/** The program after all of them. */
export const simplify = (program: Program): Program =>
  SIMPLIFICATIONS.reduce((rewritten, simplification) => simplification(rewritten), program);

/** Drops the equations whose results nobody reads. */
export function removeDeadCode(program: Program): Program {
  const live = new Set(program.outputs.map(({ variable }) => variable.id));
  const kept: Equation[] = [];
  for (const equation of program.equations.toReversed()) {
    if (!equation.outputs.some(({ id }) => live.has(id))) continue;
    for (const { id } of equation.inputs) live.add(id);
    kept.push(equation);
  }
  return { ...program, equations: kept.reverse() };
}

/** Rewrites the operands of later equations and the outputs by a substitution found on the way. */
function rewrite(
  program: Program,
  visit: (equation: Equation, replace: (from: Var, to: Var) => void) => Equation | undefined,
): Program {
  const substitution = new Map<number, Var>();
  const resolve = (variable: Var): Var => substitution.get(variable.id) ?? variable;
  const equations = program.equations.flatMap((equation) => {
    const resolved = { ...equation, inputs: equation.inputs.map(resolve) } as Equation;
    return visit(resolved, (from, to) => substitution.set(from.id, to)) ?? [];
  });
  const outputs = program.outputs.map(({ path, variable }) => ({ path, variable: resolve(variable) }));
  return { ...program, equations, outputs };
}

/** Computes equations on constants of one element, which gradients produce in numbers. */
export function foldScalars(program: Program): Program {
  const constants = new Map<number, Tensor>();
  return rewrite(program, (equation) => {
    if (equation.primitive === "constant") {
      if (equation.params.tensor.data.length === 1)
        constants.set(equation.outputs[0]!.id, equation.params.tensor);
      return equation;
    }
    const known = equation.inputs.map(({ id }) => constants.get(id)).filter((tensor) => tensor !== undefined);
    if (known.length === 0 || known.length < equation.inputs.length || !isFoldable(equation)) return equation;
    const tensor = EVALUATE_RULES[equation.primitive as "add"](
      known,
      equation.params as never,
      new Map(),
    )[0]!;
    constants.set(equation.outputs[0]!.id, tensor);
    return { primitive: "constant", inputs: [], params: { tensor }, outputs: equation.outputs };
  });
}

function isFoldable({ primitive, outputs }: Equation): boolean {
  if (primitive === "composite" || primitive === "weight" || outputs.length !== 1) return false;
  const { shape } = outputs[0]!;
  return (
    shape.every((size) => typeof size === "number") &&
    evaluateShape(shape, new Map()).every((size) => size === 1)
  );
}

/** Computes once what is written twice: the same primitive of the same operands with the same parameters. */
export function shareCommonSubexpressions(program: Program): Program {
  const seen = new Map<string, Equation>();
  return rewrite(program, (equation, replace) => {
    const key = keyOf(equation);
    if (key === undefined) return equation;
    const earlier = seen.get(key);
    if (earlier === undefined) {
      seen.set(key, equation);
      return equation;
    }
    for (const [index, output] of equation.outputs.entries()) replace(output, earlier.outputs[index]!);
    return undefined;
  });
}

function keyOf(equation: Equation): string | undefined {
  const operands = equation.inputs.map(({ id }) => id).join(",");
  if (equation.primitive === "constant") {
    const { tensor } = equation.params;
    if (tensor.data.length !== 1) return undefined;
    return `constant ${tensor.dtype} ${tensor.shape.length} ${Object.is(tensor.data[0], -0) ? "-0" : tensor.data[0]}`;
  }
  if (equation.primitive === "composite") {
    const { composite, attributes } = equation.params;
    return `composite ${composite.name} ${JSON.stringify(attributes)} (${operands})`;
  }
  const params = Object.entries(equation.params).map(([name, value]) => `${name}=${String(value)}`);
  return `${equation.primitive} ${params.join(";")} (${operands})`;
}

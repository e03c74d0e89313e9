// Reverse-mode differentiation of traced functions. Contains no rule for any particular primitive.

import { replay } from "./checkpoint.ts";
import { after } from "./composites/after.ts";
import { isFloating } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import { full } from "./ops.ts";
import type { Equation } from "./program.ts";
import { addCotangents, VJP_RULES } from "./rules/vjp.ts";
import { formatShape } from "./shape.ts";
import { currentBuilder, expandComposite, inline, isTracer, Tracer } from "./trace.ts";
import { flatten, type MapTree, mapTree } from "./tree.ts";

type Leaves<T> = MapTree<T, Tracer, Tracer>;

/**
 * A function's result and its pullback: cotangent of the result to cotangents of the primals.
 *
 * @param fn a function of one tree of tracers to a tracer
 * @param primals where to differentiate
 */
export function vjp<T, Result>(
  fn: (primals: T) => Result,
  primals: T,
): { readonly result: Result; pullback(output: Tracer, cotangent: Tracer): Leaves<T> } {
  const { equations } = currentBuilder("vjp");
  const start = equations.length;
  const result = fn(primals);
  const end = equations.length;
  const leaves = flatten(primals, isTracer).map(({ leaf }) => leaf);
  const pullback = (output: Tracer, cotangent: Tracer): Leaves<T> => {
    const found = walkBack(equations.slice(start, end), leaves, new Map([[output.id, cotangent]]));
    return mapTree(
      primals,
      isTracer,
      (leaf) => found.get(leaf.id) ?? full(leaf.shape, 0, leaf.dtype),
    ) as Leaves<T>;
  };
  return { result, pullback };
}

/**
 * Cotangents by the id of their value, those of the primals among them.
 *
 * @param seeds cotangents of results
 */
function walkBack(
  equations: readonly Equation[],
  primals: readonly Tracer[],
  seeds: ReadonlyMap<number, Tracer>,
): Map<number, Tracer> {
  const active = dependents(equations, primals);
  const cotangents = new Map(seeds);
  for (const step of stepsOf(equations).toReversed()) {
    const outputs = step.flatMap((equation) => equation.outputs);
    if (!outputs.some(({ id }) => active.has(id) && cotangents.has(id))) continue;
    for (const [{ id, dtype }, cotangent] of pullBack(step, cotangents)) {
      if (!active.has(id) || !isFloating(dtype)) continue;
      cotangents.set(id, addCotangents(cotangents.get(id), cotangent));
    }
  }
  return cotangents;
}

/** The equations one by one, but those of a checkpointed function together. */
function stepsOf(equations: readonly Equation[]): (readonly Equation[])[] {
  const { segments } = currentBuilder("grad");
  return equations.flatMap((equation) => {
    const segment = segments.get(equation) ?? [equation];
    return segment[0] === equation ? [segment] : [];
  });
}

/** Every value computed from the primals: the rest needs no cotangent. */
function dependents(equations: readonly Equation[], primals: readonly Tracer[]): Set<number> {
  const active = new Set(primals.map(({ id }) => id));
  for (const { primitive, inputs, outputs } of equations) {
    if (primitive === "stopGradient" || !inputs.some(({ id }) => active.has(id))) continue;
    for (const { id } of outputs) active.add(id);
  }
  return active;
}

/** Values with what a step adds to their cotangents. */
type Contributions = readonly (readonly [value: Tracer, cotangent: Tracer])[];

function pullBack(step: readonly Equation[], cotangents: ReadonlyMap<number, Tracer>): Contributions {
  const [equation] = step;
  if (currentBuilder("grad").segments.has(equation!)) return pullBackSegment(step, cotangents);
  return pullBackEquation(equation!, cotangents).flatMap((cotangent, index) =>
    cotangent === undefined ? [] : [[equation!.inputs[index] as Tracer, cotangent] as const],
  );
}

/** A checkpointed function is computed again, and the gradient taken of that. */
function pullBackSegment(
  segment: readonly Equation[],
  cotangents: ReadonlyMap<number, Tracer>,
): Contributions {
  const given = segment
    .filter(({ inputs }) => inputs.length > 0)
    .flatMap(({ outputs }) => outputs)
    .filter(({ id }) => cotangents.has(id));
  const { operands, values, equations } = replay(segment, cotangents.get(given.at(-1)!.id)!);
  const seeds = new Map(given.map(({ id }) => [values.get(id)!.id, cotangents.get(id)!]));
  const found = walkBack(equations, operands, seeds);
  const contributions = operands.flatMap((operand) => {
    const cotangent = found.get(operand.id);
    return cotangent === undefined ? [] : [[operand, cotangent] as const];
  });
  return finishBeforeGoingOn(contributions);
}

/**
 * The cotangents that the walk goes on with wait for those that end here, such as a layer's own parameters': left to
 * itself the runtime computes these last, and keeps what they are computed from for every layer.
 */
function finishBeforeGoingOn(contributions: Contributions): Contributions {
  const { equations } = currentBuilder("grad");
  const computed = new Set(equations.flatMap(({ outputs }) => outputs.map(({ id }) => id)));
  const ends = contributions.filter(([{ id }]) => !computed.has(id)).map(([, cotangent]) => cotangent);
  return contributions.map(([value, cotangent]) =>
    computed.has(value.id) ? [value, ends.reduce(after, cotangent)] : [value, cotangent],
  );
}

function pullBackEquation(
  equation: Equation,
  cotangents: ReadonlyMap<number, Tracer>,
): readonly (Tracer | undefined)[] {
  const inputs = equation.inputs as readonly Tracer[];
  const outputs = equation.outputs as readonly Tracer[];
  const given = outputs.map(({ id }) => cotangents.get(id));
  if (equation.primitive === "composite") {
    const { composite, attributes } = equation.params;
    if (composite.pullback !== undefined) return composite.pullback(given, inputs, outputs, attributes);
    return pullBackDefinition(equation, given);
  }
  const complete = given.map(
    (cotangent, index) => cotangent ?? full(outputs[index]!.shape, 0, outputs[index]!.dtype),
  );
  return VJP_RULES[equation.primitive](complete, { inputs, outputs, params: equation.params as never });
}

/** A composite without a pullback of its own is differentiated through its definition, which is computed again. */
function pullBackDefinition(
  equation: Extract<Equation, { primitive: "composite" }>,
  given: readonly (Tracer | undefined)[],
): readonly (Tracer | undefined)[] {
  const inputs = equation.inputs as readonly Tracer[];
  const definition = expandComposite(equation.params.composite, inputs, equation.params.attributes);
  const { equations } = currentBuilder("grad");
  const start = equations.length;
  const outputs = inline(definition, inputs);
  const body = equations.slice(start);
  const seeds = new Map<number, Tracer>();
  given.forEach((cotangent, index) => {
    const { id } = outputs[index]!;
    if (cotangent !== undefined) seeds.set(id, addCotangents(seeds.get(id), cotangent));
  });
  const totals = walkBack(body, inputs, seeds);
  // An operand used twice has one total: it is given once.
  return inputs.map(({ id }, index) =>
    inputs.findIndex((each) => each.id === id) === index ? totals.get(id) : undefined,
  );
}

function checkLoss(loss: unknown, where: string): Tracer {
  if (!(loss instanceof Tracer)) {
    throw new TensorError("TENSOR_NOT_DIFFERENTIABLE", `${where}: the function must return a scalar tracer`);
  }
  if (loss.shape.length !== 0 || !isFloating(loss.dtype)) {
    throw new TensorError(
      "TENSOR_NOT_DIFFERENTIABLE",
      `${where}: expected a floating scalar, got ${loss.dtype}${formatShape(loss.shape)}; reduce it with sum() or mean()`,
    );
  }
  return loss;
}

/**
 * The function that returns a loss and its gradient with respect to the first argument.
 *
 * @param fn returns a floating scalar, or `[scalar, auxiliary]` with `hasAux`
 * @throws TensorError `TENSOR_NOT_DIFFERENTIABLE` when the result is not a floating scalar
 * @example
 * trace((w, x) => valueAndGrad((w) => sum(mul(w, x)))(w), [spec("float32", [3]), spec("float32", [3])]);
 */
export function valueAndGrad<T, Rest extends readonly unknown[], Result>(
  fn: (primals: T, ...rest: Rest) => Result,
  options: { readonly hasAux?: boolean } = {},
): (primals: T, ...rest: Rest) => { readonly value: Result; readonly gradient: Leaves<T> } {
  return (primals, ...rest) => {
    const { result, pullback } = vjp((at: T) => fn(at, ...rest), primals);
    const loss = checkLoss(
      options.hasAux === true ? (result as readonly unknown[])[0] : result,
      "valueAndGrad",
    );
    return { value: result, gradient: pullback(loss, full([], 1, loss.dtype)) };
  };
}

/** The gradient of a scalar function with respect to its first argument. */
export function grad<T, Rest extends readonly unknown[]>(
  fn: (primals: T, ...rest: Rest) => Tracer,
): (primals: T, ...rest: Rest) => Leaves<T> {
  const both = valueAndGrad(fn);
  return (primals, ...rest) => both(primals, ...rest).gradient;
}

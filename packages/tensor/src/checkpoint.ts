// Activation recomputation: which equations of a trace are computed again for the backward pass, and how they are.
import { after } from "./composites/after.ts";
import type { Equation } from "./program.ts";
import { bind, currentBuilder, type Tracer } from "./trace.ts";

/**
 * The function, of whose intermediate values none is kept for the gradient: they are computed again when it needs
 * them, from the function's operands. Costs one more forward pass of the function, saves its memory.
 *
 * The function may use tracers and weights from outside. Inside another checkpointed function it counts as a part of that.
 *
 * @param fn called inside `trace`, any arguments and result
 * @see Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"; jax.checkpoint
 * @example
 * for (const layer of layers) x = checkpoint(layer)(x);
 */
export function checkpoint<Args extends readonly unknown[], Result>(
  fn: (...args: Args) => Result,
): (...args: Args) => Result {
  return (...args) => {
    const { equations, segments } = currentBuilder("checkpoint");
    const start = equations.length;
    const result = fn(...args);
    const segment = equations.slice(start);
    for (const equation of segment) segments.set(equation, segment);
    return result;
  };
}

/** A segment computed again. */
export interface Replay {
  /** values from outside that the segment reads */
  readonly operands: readonly Tracer[];
  /** the new value for each of the segment's, by id */
  readonly values: ReadonlyMap<number, Tracer>;
  /** what was added to the trace */
  readonly equations: readonly Equation[];
}

/**
 * Computes a segment's equations again, once `upstream` is there. What depends on nothing, such as weights, is not.
 *
 * @param upstream a cotangent of the segment's result
 */
export function replay(segment: readonly Equation[], upstream: Tracer): Replay {
  const { equations } = currentBuilder("checkpoint");
  const start = equations.length;
  const sources = new Set(
    equations.filter(({ inputs }) => inputs.length === 0).flatMap(({ outputs }) => outputs),
  );
  const operands: Tracer[] = [];
  const values = new Map<number, Tracer>();
  const enter = (operand: Tracer): Tracer => {
    if (sources.has(operand)) return operand;
    operands.push(operand);
    const late = after(operand, upstream);
    values.set(operand.id, late);
    return late;
  };
  for (const { primitive, inputs, params, outputs } of segment) {
    if (inputs.length === 0) continue;
    const late = (inputs as readonly Tracer[]).map((input) => values.get(input.id) ?? enter(input));
    const results = bind(primitive, late, params as never);
    for (const [index, { id }] of outputs.entries()) values.set(id, results[index]!);
  }
  return { operands, values, equations: equations.slice(start) };
}

// Program to program by tracing it again with some equations replaced: at once, or in turns of the event loop.
import { setImmediate } from "node:timers/promises";
import type { Equation, Program, Var } from "./program.ts";
import { SIMPLIFICATIONS } from "./simplify.ts";
import { bind, spec, type Tracer, Tracing } from "./trace.ts";

/**
 * What an equation becomes: its outputs as tracers, or undefined to keep it as it is.
 *
 * @param valueOf the tracer that stands for a variable of the old program, of this equation's operands or before
 */
export type Replace = (
  equation: Equation,
  valueOf: (variable: Var) => Tracer,
) => readonly Tracer[] | undefined;

/** The program with the same inputs and outputs in which `replace` stands for the equations it answers for. */
export function rewriteProgram(program: Program, replace: Replace): Program {
  const rewriting = rewrite(program, replace);
  for (;;) {
    const { done, value } = rewriting.next();
    if (done) return value;
  }
}

/** `rewriteProgram` in parts of a few milliseconds at most, with turns of the event loop in between. */
export async function rewriteInTurns(program: Program, replace: Replace): Promise<Program> {
  const rewriting = rewrite(program, replace);
  for (;;) {
    await setImmediate();
    const { done, value } = rewriting.next();
    if (done) return value;
  }
}

/** Equations that are replaced in one part. */
const EQUATIONS_OF_A_PART = 128;

function* rewrite(program: Program, replace: Replace): Generator<undefined, Program> {
  const { inputs, equations, outputs, rebuildOutputs } = program;
  const tracing = new Tracing(inputs.map(({ variable }) => spec(variable.dtype, variable.shape)));
  const values = new Map(inputs.map(({ variable }, index) => [variable.id, tracing.args[index]! as Tracer]));
  const valueOf = ({ id }: Var): Tracer => values.get(id)!;
  const rewriteEquation = (equation: Equation): void => {
    const results =
      replace(equation, valueOf) ??
      bind(equation.primitive, equation.inputs.map(valueOf), equation.params as never);
    for (const [index, { id }] of equation.outputs.entries()) values.set(id, results[index]!);
  };
  for (let start = 0; start < equations.length; start += EQUATIONS_OF_A_PART) {
    const part = equations.slice(start, start + EQUATIONS_OF_A_PART);
    tracing.record(() => part.forEach(rewriteEquation));
    yield;
  }
  let rewritten = tracing.finish(outputs.map(({ variable }) => valueOf(variable)));
  for (const simplification of SIMPLIFICATIONS) {
    rewritten = simplification(rewritten);
    yield;
  }
  const named = <Named extends { readonly path: string }>(all: readonly Named[], names: Program["inputs"]) =>
    all.map((each, index) => ({ ...each, path: names[index]!.path }));
  return {
    ...rewritten,
    inputs: named(rewritten.inputs, inputs),
    outputs: named(rewritten.outputs, outputs),
    rebuildOutputs,
  };
}

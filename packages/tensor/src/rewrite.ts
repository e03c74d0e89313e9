// Program to program by tracing it again with some equations replaced.
import type { Equation, Program, Var } from "./program.ts";
import { bind, spec, type Tracer, trace } from "./trace.ts";

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
  const specs = program.inputs.map(({ variable }) => spec(variable.dtype, variable.shape));
  const values = new Map<number, Tracer>();
  const valueOf = ({ id }: Var): Tracer => values.get(id)!;
  const rewritten = trace((...args) => {
    for (const [index, { variable }] of program.inputs.entries())
      values.set(variable.id, args[index]! as Tracer);
    for (const equation of program.equations) {
      const results =
        replace(equation, valueOf) ??
        bind(equation.primitive, equation.inputs.map(valueOf), equation.params as never);
      for (const [index, { id }] of equation.outputs.entries()) values.set(id, results[index]!);
    }
    return program.outputs.map(({ variable }) => valueOf(variable));
  }, specs);
  return {
    ...rewritten,
    inputs: rewritten.inputs.map(({ variable }, index) => ({ path: program.inputs[index]!.path, variable })),
    outputs: rewritten.outputs.map(({ variable }, index) => ({
      path: program.outputs[index]!.path,
      variable,
    })),
    rebuildOutputs: program.rebuildOutputs,
  };
}

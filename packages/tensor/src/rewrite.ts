// Program to program by tracing it again with some equations replaced.
import type { Equation, Program } from "./program.ts";
import { bind, spec, type Tracer, trace } from "./trace.ts";

/** What an equation becomes: its outputs as tracers, or undefined to keep it as it is. */
export type Replace = (equation: Equation, inputs: readonly Tracer[]) => readonly Tracer[] | undefined;

/** The program with the same inputs and outputs in which `replace` stands for the equations it answers for. */
export function rewriteProgram(program: Program, replace: Replace): Program {
  const specs = program.inputs.map(({ variable }) => spec(variable.dtype, variable.shape));
  const rewritten = trace((...args) => {
    const values = new Map<number, Tracer>();
    program.inputs.forEach(({ variable }, index) => values.set(variable.id, args[index]! as Tracer));
    for (const equation of program.equations) {
      const inputs = equation.inputs.map(({ id }) => values.get(id)!);
      const results = replace(equation, inputs) ?? bind(equation.primitive, inputs, equation.params as never);
      for (const [index, { id }] of equation.outputs.entries()) values.set(id, results[index]!);
    }
    return program.outputs.map(({ variable }) => values.get(variable.id)!);
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

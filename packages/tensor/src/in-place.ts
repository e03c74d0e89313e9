// Whether an output of a program may be written over one of its inputs.
import type { Equation, Program, Var } from "./program.ts";
import { shapesEqual } from "./shape.ts";

/** Primitives that read an operand of the output's shape at the very place they write. */
const ELEMENTWISE: ReadonlySet<string> = new Set([
  "neg", "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "erf", "abs", "floor", "logicalNot", "add", "sub", "mul",
  "div", "pow", "maximum", "minimum", "where", "stopGradient",
]);

/**
 * True when every equation that reads the input has finished before the output is written, or reads it place by
 * place while writing. Only then may both be the same value.
 */
export function mayWriteOver(program: Program, output: Var, input: Var): boolean {
  if (output === input) return true;
  const producer = program.equations.find(({ outputs }) => outputs.includes(output));
  if (producer === undefined || producer.primitive === "weight") return false;
  if (program.outputs.some(({ variable }) => variable === input)) return false;
  const before = ancestors(program, producer);
  return program.equations.every(
    (equation) => !equation.inputs.includes(input) || before.has(equation) || (equation === producer && readsInPlace(producer, output, input)),
  );
}

function readsInPlace(producer: Equation, output: Var, input: Var): boolean {
  if (producer.primitive === "composite") {
    const pairs = producer.params.composite.inPlace ?? [];
    return pairs.some(([from, to]) => producer.inputs[from] === input && producer.outputs[to] === output);
  }
  return ELEMENTWISE.has(producer.primitive) && shapesEqual(output.shape, input.shape);
}

function ancestors(program: Program, equation: Equation): Set<Equation> {
  const needed = new Set(equation.inputs);
  const found = new Set<Equation>();
  for (const each of program.equations.toReversed()) {
    if (!each.outputs.some((variable) => needed.has(variable))) continue;
    found.add(each);
    for (const variable of each.inputs) needed.add(variable);
  }
  found.delete(equation);
  return found;
}

// Whether an output of a program may be written over one of its inputs.
import type { PrimitiveName } from "./primitive.ts";
import type { Equation, Program, Var } from "./program.ts";
import { shapesEqual } from "./shape.ts";

/** Primitives that read their operands at the very place they write. */
const ELEMENTWISE: ReadonlySet<PrimitiveName> = new Set([
  "neg",
  "exp",
  "log",
  "sqrt",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "erf",
  "abs",
  "floor",
  "logicalNot",
  "add",
  "sub",
  "mul",
  "div",
  "pow",
  "maximum",
  "minimum",
  "mod",
  "equal",
  "less",
  "lessEqual",
  "logicalAnd",
  "logicalOr",
  "where",
  "cast",
]);

/** Primitives that the runtime always computes by an operator of their own. */
const SEPARATE: ReadonlySet<PrimitiveName> = new Set([
  "reduceSum",
  "reduceMax",
  "argmax",
  "gather",
  "scatterAdd",
  "takeAlong",
  "addAlong",
  "concat",
]);

/** Primitives that may cost nothing: their result can be the operand's memory under another name. */
const RENAMING: ReadonlySet<PrimitiveName> = new Set([
  "reshape",
  "stopGradient",
  "broadcast",
  "slice",
  "transpose",
]);

/**
 * True when every operator that reads the input has finished before the output is written, or reads it place by
 * place while writing. Only then may both be the same value.
 *
 * The runtime makes one operator of several equations, such as a product and a sum after it, and none of a reshape:
 * what these read is then read when the last of them writes.
 */
export function mayWriteOver(program: Program, output: Var, input: Var): boolean {
  if (output === input) return true;
  const producer = program.equations.find(({ outputs }) => outputs.includes(output));
  if (producer === undefined || producer.primitive === "weight") return false;
  if (program.outputs.some(({ variable }) => variable === input)) return false;
  const before = ancestors(program, producer);
  const ties = tiesTo(
    input,
    program.equations.filter((equation) => before.has(equation)),
  );
  const isSameMemory = (variable: Var): boolean => variable === input || ties.get(variable) === Tie.RENAMED;
  return (
    isTieAllowed(producer, output, input, ties) &&
    program.equations.every(
      (equation) => before.has(equation) || equation === producer || !equation.inputs.some(isSameMemory),
    )
  );
}

/** How a value may depend on the input's memory at the time it is used; the worst counts. */
const Tie = { NONE: 0, PLACE_BY_PLACE: 1, RENAMED: 2, UNFINISHED: 3 } as const;

/** The ties of values whose operator reads the input's memory itself. */
const READ: ReadonlySet<number> = new Set([Tie.PLACE_BY_PLACE, Tie.RENAMED]);

type Ties = ReadonlyMap<Var, number>;

const worst = (equation: Equation, ties: Ties): number =>
  Math.max(...equation.inputs.map((variable) => ties.get(variable) ?? Tie.NONE), Tie.NONE);

function tiesTo(input: Var, equations: readonly Equation[]): Ties {
  const ties = new Map<Var, number>([[input, Tie.PLACE_BY_PLACE]]);
  for (const equation of equations) {
    const tie = tieOf(equation, ties);
    for (const variable of equation.outputs) ties.set(variable, tie);
  }
  return ties;
}

function tieOf(equation: Equation, ties: Ties): number {
  const { primitive, inputs } = equation;
  const tie = worst(equation, ties);
  if (tie === Tie.NONE || SEPARATE.has(primitive)) return Tie.NONE;
  if (ELEMENTWISE.has(primitive)) return tie;
  if (RENAMING.has(primitive)) return Math.max(tie, Tie.RENAMED);
  // No operator holds two products: one whose operands are results of others finds them finished.
  const isRead = inputs.some((variable) => READ.has(ties.get(variable) ?? Tie.NONE));
  return primitive === "matmul" && !isRead ? Tie.NONE : Tie.UNFINISHED;
}

function isTieAllowed(producer: Equation, output: Var, input: Var, ties: Ties): boolean {
  if (producer.primitive === "composite") {
    const pairs = producer.params.composite.inPlace ?? [];
    return producer.inputs.every(
      (variable, from) =>
        (ties.get(variable) ?? Tie.NONE) === Tie.NONE ||
        (variable === input &&
          pairs.some(([left, right]) => left === from && producer.outputs[right] === output)),
    );
  }
  const isElementwise = ELEMENTWISE.has(producer.primitive) && shapesEqual(output.shape, input.shape);
  return worst(producer, ties) <= (isElementwise ? Tie.PLACE_BY_PLACE : Tie.NONE);
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

// Whether an output of a program may be written over one of its inputs.
import { Neighbours } from "./neighbours.ts";
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

/** Which outputs of a program may be written over which of its inputs. */
export class InPlaceWrites {
  readonly #program: Program;
  readonly #neighbours: Neighbours;
  /** Inputs that are known to serve, by output. */
  readonly #allowed = new Map<Var, Set<Var>>();

  constructor(program: Program) {
    this.#program = program;
    this.#neighbours = new Neighbours(program);
  }

  /**
   * True when every operator that reads the input has finished before the output is written, or reads it place by
   * place while writing. Only then may both be the same value.
   *
   * The runtime makes one operator of several equations, such as a product and a sum after it, and none of a reshape:
   * what these read is then read when the last of them writes.
   */
  areAllowed(output: Var, input: Var): boolean {
    const known = this.#allowed.get(output);
    if (known?.has(input)) return true;
    const isAllowed = this.#find(output, input);
    if (isAllowed) this.#allowed.set(output, new Set(known).add(input));
    return isAllowed;
  }

  #find(output: Var, input: Var): boolean {
    if (output === input) return true;
    const producer = this.#neighbours.producerOf(output);
    if (producer === undefined || producer.primitive === "weight") return false;
    const readers = this.#neighbours.readersOf(input);
    if (readers.includes("output")) return false;
    const isOnlyReader = readers.every((reader) => reader === producer);
    const before = isOnlyReader ? NO_EQUATIONS : this.#ancestors(producer);
    const ties = tiesTo(input, before);
    const sameMemory = [...ties].flatMap(([variable, tie]) => (tie === Tie.RENAMED ? [variable] : []));
    const isLate = (reader: Equation | "output") =>
      reader !== "output" && reader !== producer && !before.has(reader);
    return (
      isTieAllowed(producer, output, input, ties) &&
      ![input, ...sameMemory].some((variable) => this.#neighbours.readersOf(variable).some(isLate))
    );
  }

  /** What is computed before `equation`, in the program's order. */
  #ancestors(equation: Equation): ReadonlySet<Equation> {
    const found = new Set<Equation>();
    const waiting = [equation];
    for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
      for (const variable of each.inputs) {
        const producer = this.#neighbours.producerOf(variable);
        if (producer === undefined || found.has(producer)) continue;
        found.add(producer);
        waiting.push(producer);
      }
    }
    return new Set(this.#program.equations.filter((each) => found.has(each)));
  }
}

const NO_EQUATIONS: ReadonlySet<Equation> = new Set();

/** How a value may depend on the input's memory at the time it is used; the worst counts. */
const Tie = { NONE: 0, PLACE_BY_PLACE: 1, RENAMED: 2, UNFINISHED: 3 } as const;

/** The ties of values whose operator reads the input's memory itself. */
const READ: ReadonlySet<number> = new Set([Tie.PLACE_BY_PLACE, Tie.RENAMED]);

type Ties = ReadonlyMap<Var, number>;

const worst = (equation: Equation, ties: Ties): number =>
  Math.max(...equation.inputs.map((variable) => ties.get(variable) ?? Tie.NONE), Tie.NONE);

function tiesTo(input: Var, equations: Iterable<Equation>): Ties {
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

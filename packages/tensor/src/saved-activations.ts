// Program to program: what the forward pass keeps for the gradient is kept in 16 bits. Rounds those values, and no others.
import { AFTER } from "./composites/after.ts";
import type { DType } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import { Neighbours } from "./neighbours.ts";
import type { Equation, Program, Var } from "./program.ts";
import { evaluateDim, namesIn, sizeOf } from "./shape.ts";

/** A dtype that takes half the memory of float32. */
export type HalfDType = Extract<DType, "float16" | "bfloat16">;

/** Smaller values are kept as they are. */
const LARGE_ELEMENTS = 2 ** 18;

/** What a size known only when running is taken for when a value's size is judged. */
const ASSUMED_SIZE = 64;

/** Where rounding is not small: e to the power of an activation. */
const EXPONENTIALS = /^(exp|softmax|logSoftmax|crossEntropy.*)$/;

function isLarge({ shape }: Var): boolean {
  const size = sizeOf(shape);
  const sizes = new Map(namesIn(size).map((name) => [name, ASSUMED_SIZE]));
  return evaluateDim(size, sizes) > LARGE_ELEMENTS;
}

const nameOf = (equation: Equation): string =>
  equation.primitive === "composite" ? equation.params.composite.name : equation.primitive;

/**
 * The dtype of what the forward pass keeps for the gradient: bfloat16 holds float32's range in 8 bits of precision; float16
 * has 11 bits, and infinity from 65 520 on.
 */
export type SavedActivations = "float32" | HalfDType;

/**
 * The program with its large float32 activations in 16 bits from the forward pass to the gradient: rounded where they
 * are computed, and widened right before the gradient first reads them. The forward pass computes with the values themselves.
 * To be made after all other rewrites, which might not find neighbours that rounding stands between.
 *
 * @param loss path of the output that is the last value of the forward pass; what is computed later is the gradient's
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when the program has no such output
 */
export function saveActivations(program: Program, loss: string, dtype: SavedActivations): Program {
  if (dtype === "float32") return program;
  const output = program.outputs.find(({ path }) => path === loss);
  if (output === undefined) {
    throw new TensorError("TENSOR_INVALID_ARGUMENT", `saveActivations: the program has no output "${loss}"`);
  }
  return new Saving(program, output.variable, dtype).rewrite();
}

class Saving {
  private readonly program: Program;
  private readonly loss: Var;
  private readonly dtype: HalfDType;
  private readonly neighbours: Neighbours;
  private readonly equations: Equation[] = [];
  private readonly narrow = new Map<Var, Var>();
  /** Those of which no later equation of the forward pass knows yet. */
  private readonly rounded: Var[] = [];
  private readonly widened = new Map<Var, Var>();
  /** Values of the gradient that cannot be computed before the forward pass has ended. */
  private readonly late = new Set<Var>();
  private latest: Var;
  private nextId: number;

  constructor(program: Program, loss: Var, dtype: HalfDType) {
    this.program = program;
    this.loss = loss;
    this.dtype = dtype;
    this.neighbours = new Neighbours(program);
    this.latest = loss;
    const variables = [
      ...program.inputs.map(({ variable }) => variable),
      ...program.equations.flatMap(({ outputs }) => outputs),
    ];
    this.nextId = 1 + variables.reduce((largest, { id }) => Math.max(largest, id), 0);
  }

  rewrite(): Program {
    const saved = this.savedValues();
    for (const equation of this.program.equations) {
      if (this.isForward(equation)) this.keepForward(equation, saved);
      else this.rewriteGradient(equation, saved);
    }
    return { ...this.program, equations: this.equations };
  }

  private isForward(equation: Equation): boolean {
    return equation.outputs[0]!.id <= this.loss.id;
  }

  /** What the gradient reads of the forward pass and may be rounded. */
  private savedValues(): Set<Var> {
    const gradient = this.program.equations.filter((equation) => !this.isForward(equation));
    const exact = new Set(
      gradient
        .filter((equation) => EXPONENTIALS.test(nameOf(equation)))
        .flatMap(({ inputs }) => inputs)
        .map((variable) => this.rootOf(variable)),
    );
    const read = gradient.flatMap(({ inputs }) => inputs).map((variable) => this.rootOf(variable));
    return new Set(read.filter((variable) => this.maySave(variable) && !exact.has(variable)));
  }

  private maySave(variable: Var): boolean {
    const producer = this.neighbours.producerOf(variable);
    const isActivation = producer !== undefined && producer.inputs.length > 0 && variable.id <= this.loss.id;
    return isActivation && variable.dtype === "float32" && isLarge(variable);
  }

  /** The value that a forward reshape gave another shape: both are one memory. */
  private rootOf(variable: Var): Var {
    const producer = this.neighbours.producerOf(variable);
    const isView = producer?.primitive === "reshape" && this.isForward(producer);
    return isView ? this.rootOf(producer.inputs[0]!) : variable;
  }

  private keepForward(equation: Equation, saved: ReadonlySet<Var>): void {
    this.equations.push(this.afterRounding(equation));
    for (const output of equation.outputs) {
      if (!saved.has(output)) continue;
      const narrow = this.cast(output, this.dtype);
      this.narrow.set(output, narrow);
      this.rounded.push(narrow);
    }
  }

  /**
   * The equation, which waits for the values rounded before it: else they would be rounded when the gradient reads them. A
   * reshape does not wait: the runtime fails to join it with the reshape that waiting is.
   */
  private afterRounding(equation: Equation): Equation {
    const index = equation.inputs.findIndex(
      (input) => (this.neighbours.producerOf(input)?.inputs.length ?? 0) > 0,
    );
    if (index === -1 || this.rounded.length === 0 || equation.primitive === "reshape") return equation;
    const waiting = this.delay(equation.inputs[index]!, ...this.rounded.splice(0));
    return { ...equation, inputs: equation.inputs.with(index, waiting) } as Equation;
  }

  private rewriteGradient(equation: Equation, saved: ReadonlySet<Var>): void {
    const anchor = equation.inputs.find((input) => this.late.has(input)) ?? this.latest;
    const inputs = equation.inputs.map((input) =>
      saved.has(this.rootOf(input)) ? this.widen(input, anchor) : input,
    );
    this.equations.push({ ...equation, inputs } as Equation);
    if (!inputs.some((input) => this.late.has(input))) return;
    for (const output of equation.outputs) this.late.add(output);
    this.latest = equation.outputs[0]!;
  }

  /** The kept value in float32 again, once `anchor` is there: where it is read first, and no earlier. */
  private widen(variable: Var, anchor: Var): Var {
    const known = this.widened.get(variable);
    if (known !== undefined) return known;
    const root = this.rootOf(variable);
    const wide =
      root === variable
        ? this.cast(this.delay(this.narrow.get(root)!, anchor), "float32")
        : this.view(variable, anchor);
    this.widened.set(variable, wide);
    this.late.add(wide);
    return wide;
  }

  private view(variable: Var, anchor: Var): Var {
    const output = this.newVar("float32", variable.shape);
    const inputs = [this.widen(this.rootOf(variable), anchor)];
    this.equations.push({
      primitive: "reshape",
      inputs,
      params: { shape: variable.shape },
      outputs: [output],
    });
    return output;
  }

  private delay(variable: Var, ...anchors: readonly Var[]): Var {
    const output = this.newVar(variable.dtype, variable.shape);
    const inputs = [variable, ...anchors];
    const params = { composite: AFTER, attributes: {} };
    this.equations.push({ primitive: "composite", inputs, params, outputs: [output] });
    return output;
  }

  private cast(variable: Var, dtype: DType): Var {
    const output = this.newVar(dtype, variable.shape);
    this.equations.push({ primitive: "cast", inputs: [variable], params: { dtype }, outputs: [output] });
    return output;
  }

  private newVar(dtype: DType, shape: Var["shape"]): Var {
    return { id: this.nextId++, dtype, shape };
  }
}

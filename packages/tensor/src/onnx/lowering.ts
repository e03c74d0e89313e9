// The graph under construction while a program is lowered: nodes, names, constants and run-time sizes.
import type { DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import type { Var } from "../program.ts";
import { KERNEL_DOMAIN } from "../runtime/session.ts";
import { type Dim, namesIn, type Shape, SymbolicDim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import type { AttributeProto, NodeProto, TensorProto } from "./schema.ts";
import { attributeProto, tensorProto } from "./schema.ts";

/** An attribute's value: an integer, integers, a float or a string. */
export type Attribute = number | readonly number[] | { readonly float: number } | string;

/** A value of the graph: a program's variable, or the name of one the lowering made itself. */
export type Operand = Var | string;

/** Collects the nodes and constants of one graph. */
export class Lowering {
  readonly nodes: NodeProto[] = [];
  readonly constants: TensorProto[] = [];
  private readonly names = new Map<Var, string>();
  private readonly sizes = new Map<string, string>();
  private readonly constantNames = new Map<string, string>();
  private readonly sources: ReadonlyMap<string, { readonly input: Operand; readonly axis: number }>;
  private readonly weights = new Set<string>();
  private nextName = 0;

  /** Whether native kernels may be emitted. */
  readonly hasNativeKernels: boolean;

  /** @param inputs the program's inputs, where named sizes are read from */
  constructor(inputs: readonly Var[], options: { readonly hasNativeKernels?: boolean } = {}) {
    this.hasNativeKernels = options.hasNativeKernels ?? false;
    const sources = new Map<string, { input: Var; axis: number }>();
    for (const input of inputs) {
      input.shape.forEach((size, axis) => {
        if (size instanceof SymbolicDim && /^\w+$/.test(size.text)) sources.set(size.text, { input, axis });
      });
    }
    this.sources = sources;
  }

  /** The name of a variable in the graph. */
  nameOf(operand: Operand): string {
    if (typeof operand === "string") return operand;
    return this.names.get(operand) ?? this.setName(operand, this.freshName("v"));
  }

  /** Fixes a variable's name, for inputs, outputs and weights. */
  setName(variable: Var, name: string): string {
    this.names.set(variable, name);
    return name;
  }

  /** Names a frozen weight by its path. */
  setWeight(variable: Var, path: string): void {
    this.weights.add(this.setName(variable, path));
  }

  /** Whether the variable is a frozen weight. */
  isWeight(variable: Var): boolean {
    return this.weights.has(this.names.get(variable) ?? "");
  }

  /** Whether the variable has been given a name. */
  isNamed(variable: Var): boolean {
    return this.names.has(variable);
  }

  /** A name not used before. */
  freshName(prefix: string): string {
    return `${prefix}${this.nextName++}`;
  }

  /** Adds a node. `undefined` among the inputs stands for an optional input left out. */
  emit(
    opType: string,
    inputs: readonly (Operand | undefined)[],
    outputs: readonly Operand[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): void {
    this.nodes.push({
      opType,
      domain,
      name: `${opType}_${this.nodes.length}`,
      input: inputs.map((operand) => (operand === undefined ? "" : this.nameOf(operand))),
      output: outputs.map((operand) => this.nameOf(operand)),
      attribute: Object.entries(attributes).map(
        ([name, value]): AttributeProto => attributeProto(name, value),
      ),
    });
  }

  /**
   * Adds a node computed by a native kernel, if there are such kernels.
   *
   * @returns whether it was added
   */
  emitNative(
    operator: string,
    inputs: readonly (Operand | undefined)[],
    outputs: readonly Operand[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): boolean {
    if (this.hasNativeKernels) this.emit(operator, inputs, outputs, attributes, KERNEL_DOMAIN);
    return this.hasNativeKernels;
  }

  /** Adds a node of one output with a name of its own. */
  value(
    opType: string,
    inputs: readonly (Operand | undefined)[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): string {
    const name = this.freshName("t");
    this.emit(opType, inputs, [name], attributes, domain);
    return name;
  }

  /** The name of a constant; small equal ones are shared. */
  constant(tensor: Tensor): string {
    const key =
      tensor.data.length <= 8
        ? `${tensor.dtype}[${tensor.shape}]${tensor.toNumbers().map((x) => (Object.is(x, -0) ? "-0" : x))}`
        : undefined;
    const known = key === undefined ? undefined : this.constantNames.get(key);
    if (known !== undefined) return known;
    const name = this.freshName("c");
    this.constants.push(tensorProto(name, tensor));
    if (key !== undefined) this.constantNames.set(key, name);
    return name;
  }

  /** An int64 vector constant. */
  integers(values: readonly number[]): string {
    return this.constant(Tensor.fromArray("int64", [values.length], values));
  }

  /** A scalar constant. */
  scalar(value: number, dtype: DType): string {
    return this.constant(Tensor.fromArray(dtype, [], [value]));
  }

  /** The size as an int64 vector of one element: a constant, or computed from the shapes of inputs. */
  size(value: Dim): string {
    if (typeof value === "number") return this.integers([value]);
    const known = this.sizes.get(value.text);
    if (known !== undefined) return known;
    const name = /^\w+$/.test(value.text) ? this.readSize(value.text) : this.computeSize(value);
    this.sizes.set(value.text, name);
    return name;
  }

  private readSize(name: string): string {
    const source = this.sources.get(name);
    if (source === undefined) {
      throw new TensorError(
        "TENSOR_INVALID_ARGUMENT",
        `dimension ${name}: no input has it as the size of an axis`,
      );
    }
    return this.value("Shape", [source.input], { start: source.axis, end: source.axis + 1 });
  }

  private computeSize(value: SymbolicDim): string {
    const products = [...value.terms].map(([monomial, coefficient]) => {
      const names = namesIn(new SymbolicDim(new Map([[monomial, 1]])));
      const powers = monomial === "" ? [] : monomial.split("*");
      const factors = (names.length === 0 ? [] : powers).map((each) =>
        this.size(new SymbolicDim(new Map([[each, 1]]))),
      );
      if (coefficient !== 1 || factors.length === 0) factors.push(this.integers([coefficient]));
      return factors.reduce((a, b) => this.value("Mul", [a, b]));
    });
    return products.reduce((a, b) => this.value("Add", [a, b]));
  }

  /** A shape as an int64 vector: constant where it can be. `from` allows Reshape's 0 and −1. */
  shape(shape: Shape, from?: Shape): string {
    const symbolic = shape.filter((size) => typeof size !== "number");
    if (symbolic.length === 0) return this.integers(shape as readonly number[]);
    // A size that is 0 by design leaves no number that could stand for a kept one.
    if (from !== undefined && !shape.includes(0)) {
      const kept = shape.map((size, axis) => typeof size !== "number" && String(size) === String(from[axis]));
      const unknown = shape.filter((size, axis) => typeof size !== "number" && !kept[axis]);
      if (unknown.length <= 1) {
        return this.integers(
          shape.map((size, axis) => (typeof size === "number" ? size : kept[axis] ? 0 : -1)),
        );
      }
    }
    return this.value(
      "Concat",
      shape.map((size) => this.size(size)),
      { axis: 0 },
    );
  }
}

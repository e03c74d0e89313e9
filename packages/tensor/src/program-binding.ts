// `ProgramBinding`: values bound to a program's inputs and outputs, by their paths. Checks them when they change.
import { TensorError } from "./errors.ts";
import type { InPlaceWrites } from "./in-place.ts";
import type { OnnxGraph } from "./onnx/lower.ts";
import type { Program, Var } from "./program.ts";
import type { Binding } from "./runtime/session.ts";
import type { Value } from "./runtime/value.ts";
import { bindSizes } from "./sizes.ts";

/**
 * What a compiled program reads and writes, kept from run to run; made by `Executable.createBinding`. The contents of what
 * is bound may change between runs. A value that is bound again costs nothing on its own device; what is bound keeps its
 * memory until it is replaced or the binding is disposed.
 *
 * @example
 * using binding = executable.createBinding();
 * binding.bindInput("0", x);
 * binding.bindOutput("", y);
 * await binding.run(); // y has the result for x
 */
export class ProgramBinding implements Disposable {
  readonly #program: Program;
  readonly #binding: Binding;
  readonly #inputNames: ReadonlyMap<string, string>;
  readonly #outputNames: ReadonlyMap<string, string>;
  readonly #outputPaths: ReadonlyMap<string, string>;
  readonly #outputVariables: ReadonlyMap<string, Var>;
  readonly #inputs = new Map<string, Value>();
  readonly #outputs = new Map<string, Value | null>();
  readonly #inPlace: InPlaceWrites;
  #isChecked = false;

  /** For `Executable.createBinding`. */
  constructor(program: Program, graph: OnnxGraph, binding: Binding, inPlace: InPlaceWrites) {
    this.#program = program;
    this.#inPlace = inPlace;
    this.#binding = binding;
    this.#inputNames = new Map(program.inputs.map(({ path }, index) => [path, graph.inputNames[index]!]));
    this.#outputNames = new Map(program.outputs.map(({ path }, index) => [path, graph.outputNames[index]!]));
    this.#outputPaths = new Map([...this.#outputNames].map(([path, name]) => [name, path]));
    this.#outputVariables = new Map(program.outputs.map(({ path, variable }) => [path, variable]));
    for (const path of this.#outputNames.keys()) this.bindOutput(path, null);
  }

  /**
   * Binds an argument by its path.
   *
   * @throws TensorError `TENSOR_INVALID_ARGUMENT` when there is none of this path, or while a run is under way;
   * `TENSOR_VALUE_DISPOSED`
   */
  bindInput(path: string, value: Value): void {
    this.#isChecked &&= this.#inputs.get(path) === value;
    this.#binding.bindInput(nameOf("argument", path, this.#inputNames), value);
    this.#inputs.set(path, value);
  }

  /**
   * Has an output written into `value`, or into a new value of every run for null, as all are at first.
   *
   * @throws TensorError as `bindInput` does
   */
  bindOutput(path: string, value: Value | null): void {
    this.#isChecked &&= this.#outputs.get(path) === value;
    this.#binding.bindOutput(nameOf("output", path, this.#outputNames), value);
    this.#outputs.set(path, value);
  }

  /**
   * Runs the program with what is bound.
   *
   * @returns the outputs that are bound to no value, by path: new values, which the caller disposes
   * @throws TensorError as `Executable.run` does
   */
  async run({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ReadonlyMap<string, Value>> {
    if (!this.#isChecked) this.#check();
    const made = await this.#binding.run(signal);
    return new Map([...made].map(([name, value]) => [this.#outputPaths.get(name)!, value]));
  }

  /** Lets go of what is bound, when the runs under way have finished. May be called again. */
  dispose(): void {
    this.#binding.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #check(): void {
    const given = this.#program.inputs.flatMap(({ path }) => this.#inputs.get(path) ?? []);
    bindSizes(this.#program.inputs, given);
    const places = new Map<Value, number[]>();
    for (const [index, value] of given.entries()) places.set(value, [...(places.get(value) ?? []), index]);
    const targets = new Set<Value>();
    for (const [path, target] of this.#outputs) {
      if (target === null) continue;
      if (targets.has(target)) fail("two outputs are given the same value to write into");
      targets.add(target);
      for (const index of places.get(target) ?? []) this.#checkAlias(path, index);
    }
    this.#isChecked = true;
  }

  #checkAlias(path: string, index: number): void {
    const input = this.#program.inputs[index]!;
    if (!this.#inPlace.areAllowed(this.#outputVariables.get(path)!, input.variable)) {
      fail(
        `output "${path}" cannot be written over argument "${input.path}", which is read later; give it a value of its own`,
      );
    }
  }
}

function nameOf(side: string, path: string, names: ReadonlyMap<string, string>): string {
  const name = names.get(path);
  if (name !== undefined) return name;
  return fail(`the program has no ${side} "${path}"`);
}

function fail(message: string): never {
  throw new TensorError("TENSOR_INVALID_ARGUMENT", `run: ${message}`);
}

// A step program with all it reads and writes bound: a step hands over what is new, in memory that stays. Plans nothing.
import type { Pages, ProgramBinding, Tensor, Value } from "@flacuna/tensor";
import type { Selection, StepResult } from "../engine/step-model.ts";
import type { PagePool } from "./page-pool.ts";
import { ReusedValues } from "./reused-values.ts";
import type { CompiledStep } from "./step-programs.ts";
import type { TokenChoice } from "./token-choice.ts";

/** What one step is told, by the names of the program's inputs; see `stepProgram`. */
export interface StepInputs {
  /** In memory of the host. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** On the device. */
  readonly values: Readonly<Record<string, Value>>;
  readonly selections: readonly Selection[];
}

/** One step program over one pool, whose owner disposes it; the program's owner disposes that. */
export class BoundStep implements Disposable {
  readonly #choice: TokenChoice;
  readonly #binding: ProgramBinding;
  readonly #reused = new ReusedValues();

  constructor({ choice, executable }: CompiledStep, pool: PagePool) {
    this.#choice = choice;
    this.#binding = executable.createBinding();
    for (const [layer, pages] of pool.layers.entries()) this.#bindLayer(layer, pages);
  }

  /**
   * Runs one step; begins at once, before anything is awaited.
   *
   * @throws TensorError as `ProgramBinding.run` does
   */
  async run({ tensors, values, selections }: StepInputs, signal?: AbortSignal): Promise<StepResult[]> {
    for (const [name, tensor] of Object.entries(tensors)) {
      this.#binding.bindInput(`0.${name}`, this.#reused.with(name, tensor));
    }
    for (const [name, value] of Object.entries(values)) this.#binding.bindInput(`0.${name}`, value);
    const outputs: Record<string, Value> = {};
    for (const [name, { dtype, shape }] of Object.entries(this.#choice.columns?.(selections.length) ?? {})) {
      outputs[name] = this.#reused.like(`choice.${name}`, shape, dtype);
      this.#binding.bindOutput(`choice.${name}`, outputs[name]);
    }
    const made = await this.#binding.run(signal ? { signal } : {});
    for (const [path, value] of made) outputs[path.slice("choice.".length)] = value;
    try {
      return await this.#choice.results(outputs, selections);
    } finally {
      for (const value of made.values()) value.dispose();
    }
  }

  dispose(): void {
    this.#binding.dispose();
    this.#reused.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Written over what is read. */
  #bindLayer(layer: number, pages: Pages<Value>): void {
    for (const [name, value] of Object.entries(pages)) {
      this.#binding.bindInput(`0.pool.${layer}.${name}`, value);
      this.#binding.bindOutput(`pool.${layer}.${name}`, value);
    }
  }
}

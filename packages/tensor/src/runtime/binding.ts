// `Binding`: what a session reads and writes, kept from run to run, so that a run costs only what has changed.
import { TensorError } from "../errors.ts";
import { create, type OutPointer, type Pointer, readNumber, readPointers } from "./c-api.ts";
import { type Device, memoryInfo } from "./device.ts";
import type { Runtime } from "./library.ts";
import { checkBindings, type Ports } from "./ports.ts";
import { adoptValue, type HeldValue, holdValue, type Value } from "./value.ts";

/** What a binding needs of its session. */
export interface BindingSession {
  readonly runtime: Runtime;
  readonly pointer: Pointer;
  readonly device: Device;
  readonly inputs: Ports;
  readonly outputs: Ports;
  /**
   * Calls `execute` when it is this run's turn, and runs what it bound.
   *
   * @throws TensorError `TENSOR_CANCELLED`
   */
  perform(
    binding: Pointer,
    steps: BindingSteps,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, Value>>;
  /** The binding is no more. */
  forget(binding: Binding): void;
}

/** What comes right before and after a run. */
export interface BindingSteps {
  bind(): void;
  takeOutputs(): ReadonlyMap<string, Value>;
}

/**
 * Values bound to a session's inputs and outputs; made by `Session.createBinding`. What is bound stays bound: later runs
 * read and write the same values, whose contents may change meanwhile. A value of the session's own device costs nothing
 * when it is bound again. Memory of what is bound stays until it is replaced or the binding is disposed.
 */
export class Binding implements Disposable {
  readonly #session: BindingSession;
  readonly #pointer: Pointer;
  readonly #inputs = new Map<string, Value>();
  readonly #outputs = new Map<string, Value | null>();
  readonly #changedInputs = new Set<string>();
  readonly #changedOutputs = new Set<string>();
  /** What is bound, by `input "name"` or `output "name"`. */
  readonly #held = new Map<string, HeldValue>();
  readonly #steps = { bind: () => this.#bind(), takeOutputs: () => this.#takeOutputs() };
  #runs = 0;
  #isDisposed = false;
  #isReleased = false;

  /** For `Session.createBinding`. */
  constructor(session: BindingSession) {
    this.#session = session;
    this.#pointer = create((out) => session.runtime.api.CreateIoBinding(session.pointer, out));
  }

  /**
   * Binds an input.
   *
   * @throws TensorError `TENSOR_VALUE_DISPOSED`; `TENSOR_INVALID_ARGUMENT` while a run is under way
   */
  bindInput(name: string, value: Value): void {
    const isSame = this.#inputs.get(name) === value && value.device === this.#session.device;
    if (isSame) return;
    this.#hold(`input "${name}"`, value);
    this.#inputs.set(name, value);
    this.#changedInputs.add(name);
  }

  /**
   * Asks for an output: written into `value`, or a new value of every run for null.
   *
   * @throws TensorError as `bindInput` does
   */
  bindOutput(name: string, value: Value | null): void {
    if (value !== null && this.#outputs.get(name) === value) return;
    this.#hold(`output "${name}"`, value);
    this.#outputs.set(name, value);
    this.#changedOutputs.add(name);
  }

  /**
   * Runs the session with what is bound; see `Session.run`.
   *
   * @returns the outputs that are bound to no value, as new values, which the caller disposes
   */
  async run(signal?: AbortSignal): Promise<ReadonlyMap<string, Value>> {
    if (this.#isDisposed)
      throw new TensorError("TENSOR_VALUE_DISPOSED", "run: the binding was disposed before");
    if (this.#changedInputs.size > 0 || this.#changedOutputs.size > 0) this.#check();
    for (const held of this.#held.values()) held.check();
    this.#runs++;
    try {
      return await this.#session.perform(this.#pointer, this.#steps, signal);
    } finally {
      this.#runs--;
      if (this.#isDisposed) this.#releaseIfUnused();
    }
  }

  /** Lets go of what is bound, when the runs under way have finished. May be called again. */
  dispose(): void {
    this.#isDisposed = true;
    this.#releaseIfUnused();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #releaseIfUnused(): void {
    if (this.#runs > 0 || this.#isReleased) return;
    this.#isReleased = true;
    this.#session.runtime.api.ReleaseIoBinding(this.#pointer);
    for (const { release } of this.#held.values()) release();
    this.#session.forget(this);
  }

  /** Keeps `value` usable for as long as it has this place. */
  #hold(place: string, value: Value | null): void {
    if (this.#runs > 0)
      throw new TensorError("TENSOR_INVALID_ARGUMENT", `run: ${place} is bound while a run is under way`);
    const held = value && holdValue(value, `run: ${place}`);
    this.#held.get(place)?.release();
    if (held) this.#held.set(place, held);
    else this.#held.delete(place);
  }

  #check(): void {
    const { inputs, outputs } = this.#session;
    checkBindings(inputs, this.#inputs, outputs, this.#outputs);
  }

  #bind(): void {
    const { runtime, device } = this.#session;
    const { api } = runtime;
    for (const name of this.#changedInputs)
      api.BindInput(this.#pointer, name, this.#held.get(`input "${name}"`)!.pointer);
    this.#changedInputs.clear();
    if (device !== "cpu") api.SynchronizeBoundInputs(this.#pointer);
    for (const [name, value] of this.#outputs) {
      // An output of the last run would be written again.
      if (value === null) api.BindOutputToDevice(this.#pointer, name, memoryInfo(runtime, device));
      else if (this.#changedOutputs.has(name))
        api.BindOutput(this.#pointer, name, this.#held.get(`output "${name}"`)!.pointer);
    }
    this.#changedOutputs.clear();
  }

  /** The outputs that the runtime allocated. It lists all outputs in the order in which they were first bound. */
  #takeOutputs(): ReadonlyMap<string, Value> {
    const made = new Map<string, Value>();
    if ([...this.#outputs.values()].every((value) => value !== null)) return made;
    const { runtime, device } = this.#session;
    const { api, allocator } = runtime;
    const list: OutPointer = [null];
    const count = readNumber((out) => api.GetBoundOutputValues(this.#pointer, allocator, list, out));
    const pointers = readPointers(list[0]!, count);
    api.AllocatorFree(allocator, list[0]);
    [...this.#outputs].forEach(([name, given], index) => {
      const pointer = pointers[index]!;
      if (given === null) made.set(name, adoptValue(runtime, pointer, device));
      else api.ReleaseValue(pointer);
    });
    return made;
  }
}

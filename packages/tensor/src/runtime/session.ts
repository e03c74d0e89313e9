// `createSession` and `Session`: a model ready to run, its runs one after another on a thread of their own.
// Knows ONNX bytes and values, not programs.
import { TensorError } from "../errors.ts";
import { Binding, type BindingSteps } from "./binding.ts";
import { create, type Pointer, readString } from "./c-api.ts";
import type { Device } from "./device.ts";
import { Gate, nativeCallGate } from "./gate.ts";
import { addInitializers } from "./initializers.ts";
import { loadRuntime, type Runtime } from "./library.ts";
import { forgottenObjects, NativeObject } from "./native-object.ts";
import { type Ports, readPorts } from "./ports.ts";
import { holdPrepackedWeights, type PrepackedWeights } from "./prepacked-weights.ts";
import { type SessionSettings, withSessionOptions } from "./session-options.ts";
import type { Value } from "./value.ts";

export type { Binding } from "./binding.ts";
export type { Device } from "./device.ts";
export { declareInitializer } from "./initializers.ts";
export { activeKernelPath, KERNEL_DOMAIN, nativeKernels } from "./kernels.ts";
export { PrepackedWeights } from "./prepacked-weights.ts";

/** What `createSession` needs beside the model. */
export interface SessionOptions extends SessionSettings {
  /**
   * Values for weights that the model declares by `declareInitializer`. Values on "cpu" only. On "cpu" sessions read
   * them in place and share them; a session on another device takes a copy. Kept until the session is disposed.
   */
  readonly initializers?: ReadonlyMap<string, Value>;
  /** Names of those that are declared as opaque. Only on "cpu". */
  readonly opaqueInitializers?: ReadonlySet<string>;
  /** Where packed forms of `initializers` are kept, to be shared with other sessions over the same values. */
  readonly prepacked?: PrepackedWeights;
}

/** One run of a session. */
export interface RunRequest {
  /** A value for every input. */
  readonly inputs: ReadonlyMap<string, Value>;
  /**
   * The outputs wanted: a value to write into, or null for a new one. A value may also be an input; whether its
   * operator reads before it writes is for the caller to know.
   */
  readonly outputs: ReadonlyMap<string, Value | null>;
  /** Ends the run at the next operator. */
  readonly signal?: AbortSignal;
}

/**
 * A session for an ONNX model, made on a thread of its own.
 *
 * @throws TensorError `TENSOR_DEVICE_UNKNOWN`, `TENSOR_DEVICE_UNAVAILABLE`, `TENSOR_OUT_OF_MEMORY`,
 * `TENSOR_VALUE_DISPOSED`, `TENSOR_INVALID_ARGUMENT`, `TENSOR_DTYPE_MISMATCH` (an input or output of a type this package
 * lacks), `TENSOR_RUNTIME` (the runtime rejects the model; initializers that do not fit their declaration)
 */
export async function createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  const runtime = loadRuntime();
  stopRunsAtExit();
  return withSessionOptions(runtime, options, async (sessionOptions) => {
    const { initializers = new Map<string, Value>(), prepacked } = options;
    const packed = prepacked && holdPrepackedWeights(prepacked);
    const releases = packed ? [packed.release] : [];
    const release = () => {
      for (const each of releases.splice(0)) each();
    };
    try {
      releases.push(addInitializers(runtime, sessionOptions, initializers, options));
      const pointer = await nativeCallGate.run(() => load(runtime, model, sessionOptions, packed?.pointer));
      return adoptSession(runtime, pointer, options, release);
    } catch (error) {
      release();
      throw error;
    }
  });
}

async function load(
  runtime: Runtime,
  model: Uint8Array,
  sessionOptions: Pointer,
  packed: Pointer | undefined,
): Promise<Pointer> {
  const { api, env } = runtime;
  const out: [Pointer | null] = [null];
  if (packed === undefined) {
    await api.async.CreateSessionFromArray(env, model, model.byteLength, sessionOptions, out);
  } else {
    await api.async.CreateSessionFromArrayWithPrepackedWeightsContainer(
      env,
      model,
      model.byteLength,
      sessionOptions,
      packed,
      out,
    );
  }
  return out[0]!;
}

function adoptSession(
  runtime: Runtime,
  pointer: Pointer,
  options: SessionOptions,
  release: () => void,
): Session {
  try {
    const inputs = readPorts(runtime, pointer, "Input");
    const outputs = readPorts(runtime, pointer, "Output");
    return new Session(runtime, pointer, options, inputs, outputs, release);
  } catch (error) {
    runtime.api.ReleaseSession(pointer);
    throw error;
  }
}

/** Run options of the runs under way. */
const running = new Map<Pointer, Runtime>();
let isExitWatched = false;

/** A process that ends waits for the threads of its runs: tells these to stop. */
function stopRunsAtExit(): void {
  if (isExitWatched) return;
  isExitWatched = true;
  process.on("exit", () => {
    for (const [runOptions, { api }] of running) api.RunOptionsSetTerminate(runOptions);
  });
}

/** True when a run failed with `error` because `signal` aborted: while it waited, or in the middle. */
function isCausedBy(signal: AbortSignal | undefined, error: unknown): boolean {
  if (!signal?.aborted) return false;
  return error === signal.reason || (error instanceof TensorError && error.code === "TENSOR_RUNTIME");
}

/** A loaded model; made by `createSession`. Dispose it when done; a forgotten one is released by garbage collection. */
export class Session implements AsyncDisposable {
  readonly device: Device;
  /** The model's declared inputs and outputs, by name. */
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly #runtime: Runtime;
  readonly #pointer: Pointer;
  readonly #runOptions: Pointer;
  readonly #isProfiling: boolean;
  readonly #releaseAll: () => Promise<void>;
  /** Lets one run in at a time: a second one would compete for the same threads, and may share values with the first. */
  readonly #gate = new Gate(1);
  readonly #bindings = new Set<Binding>();
  #disposal: Promise<void> | undefined;
  #profilePath: string | undefined;

  /** For `createSession`. */
  constructor(
    runtime: Runtime,
    pointer: Pointer,
    options: SessionSettings,
    inputs: Ports,
    outputs: Ports,
    releaseHeld: () => void,
  ) {
    this.#runtime = runtime;
    this.#pointer = pointer;
    this.#isProfiling = options.profilePrefix !== undefined;
    this.device = options.device;
    this.inputs = inputs;
    this.outputs = outputs;
    const { api } = runtime;
    const runOptions = create((out) => api.CreateRunOptions(out));
    this.#runOptions = runOptions;
    this.#releaseAll = async () => {
      await nativeCallGate.run(() => api.asyncRelease("ReleaseSession", pointer));
      api.ReleaseRunOptions(runOptions);
      releaseHeld();
    };
    const releaseAll = this.#releaseAll;
    forgottenObjects.register(this, new NativeObject(pointer, () => void releaseAll()), this);
  }

  get inputNames(): readonly string[] {
    return [...this.inputs.keys()];
  }

  get outputNames(): readonly string[] {
    return [...this.outputs.keys()];
  }

  /** Where the profile was written; known once the session is disposed. */
  get profilePath(): string | undefined {
    return this.#profilePath;
  }

  /**
   * Runs the model on a thread of its own and returns the outputs asked for: those given as values as they are, new
   * values on the session's device for the others, which the caller disposes.
   *
   * Runs wait for earlier runs of this session. Values may be disposed while they wait or run. After a failed or
   * cancelled run the contents of output values are undefined; the session stays usable.
   *
   * @throws TensorError `TENSOR_INVALID_ARGUMENT`, `TENSOR_SHAPE_MISMATCH`, `TENSOR_DTYPE_MISMATCH` before anything
   * runs, `TENSOR_VALUE_DISPOSED` (a value, or this session), `TENSOR_CANCELLED`, `TENSOR_OUT_OF_MEMORY`,
   * `TENSOR_RUNTIME`
   */
  async run({ inputs, outputs, signal }: RunRequest): Promise<Map<string, Value>> {
    using binding = this.createBinding();
    for (const [name, value] of inputs) binding.bindInput(name, value);
    for (const [name, value] of outputs) binding.bindOutput(name, value);
    const made = await binding.run(signal);
    return new Map([...outputs].map(([name, value]) => [name, value ?? made.get(name)!]));
  }

  /**
   * For runs that read and write mostly the same values: what is bound stays bound.
   *
   * @throws TensorError `TENSOR_VALUE_DISPOSED` when this session was disposed
   */
  createBinding(): Binding {
    this.#checkUsable();
    const binding = new Binding({
      runtime: this.#runtime,
      pointer: this.#pointer,
      device: this.device,
      inputs: this.inputs,
      outputs: this.outputs,
      perform: (pointer, steps, signal) => this.#perform(pointer, steps, signal),
      forget: (each) => this.#bindings.delete(each),
    });
    this.#bindings.add(binding);
    return binding;
  }

  /** Waits for the runs that were asked for, then gives the session's memory back. May be called again. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#gate.run(() => this.#release());
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #checkUsable(): void {
    if (this.#disposal)
      throw new TensorError("TENSOR_VALUE_DISPOSED", "run: the session was disposed before");
  }

  async #perform(
    binding: Pointer,
    steps: BindingSteps,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, Value>> {
    this.#checkUsable();
    const execute = async () => {
      signal?.throwIfAborted();
      steps.bind();
      await this.#runBinding(binding, signal);
      return steps.takeOutputs();
    };
    try {
      return await this.#gate.run(() => nativeCallGate.run(execute, signal), signal);
    } catch (error) {
      if (!isCausedBy(signal, error)) throw error;
      throw new TensorError("TENSOR_CANCELLED", "run: cancelled by its signal", { cause: signal?.reason });
    }
  }

  async #runBinding(binding: Pointer, signal: AbortSignal | undefined): Promise<void> {
    const { api } = this.#runtime;
    const terminate = () => api.RunOptionsSetTerminate(this.#runOptions);
    try {
      running.set(this.#runOptions, this.#runtime);
      signal?.addEventListener("abort", terminate, { once: true });
      await api.async.RunWithBinding(this.#pointer, this.#runOptions, binding);
    } finally {
      signal?.removeEventListener("abort", terminate);
      running.delete(this.#runOptions);
      api.RunOptionsUnsetTerminate(this.#runOptions);
    }
  }

  async #release(): Promise<void> {
    const { api, allocator } = this.#runtime;
    if (this.#isProfiling) {
      const path = create((out) => api.SessionEndProfiling(this.#pointer, allocator, out));
      this.#profilePath = readString(path);
      api.AllocatorFree(allocator, path);
    }
    for (const binding of this.#bindings) binding.dispose();
    forgottenObjects.unregister(this);
    await this.#releaseAll();
  }
}

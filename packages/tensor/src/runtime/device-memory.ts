// Memory of one device: allocation in it and copies to and from it, by way of the runtime. Works on "cpu" as on
// "cuda", so what tests prove of the one holds for the other.
import { DTYPES, type DType } from "../dtype.ts";
import { create, type Pointer } from "./c-api.ts";
import { type Device, memoryInfo } from "./device.ts";
import { IDENTITY_INPUT, IDENTITY_OUTPUT, identityModel } from "./identity-model.ts";
import type { Runtime } from "./library.ts";
import { createSessionOptions } from "./session-options.ts";

const memories = new Map<Runtime, Map<Device, DeviceMemory>>();

/** The memory of `device`; made at first use and kept, as values made in it may live as long as the process. */
export function deviceMemory(runtime: Runtime, device: Device): DeviceMemory {
  let byDevice = memories.get(runtime);
  if (!byDevice) {
    byDevice = new Map();
    memories.set(runtime, byDevice);
  }
  let memory = byDevice.get(device);
  if (!memory) {
    memory = new DeviceMemory(runtime, device);
    byDevice.set(device, memory);
  }
  return memory;
}

/** Allocates tensors in one device's memory and copies them; see `deviceMemory`. */
export class DeviceMemory {
  readonly #runtime: Runtime;
  readonly #device: Device;
  /** A session of the identity program per dtype: it copies, and the first one lends its device's allocator. */
  readonly #sessions = new Map<DType, Pointer>();
  #allocator: Pointer | undefined;

  constructor(runtime: Runtime, device: Device) {
    this.#runtime = runtime;
    this.#device = device;
  }

  /**
   * A tensor in this memory, its contents undefined; the caller releases it.
   *
   * @throws TensorError `TENSOR_OUT_OF_MEMORY`, `TENSOR_DEVICE_UNAVAILABLE`
   */
  allocate(dtype: DType, shape: readonly number[]): Pointer {
    const { api } = this.#runtime;
    this.#allocator ??= create((out) =>
      api.CreateAllocator(this.#session(dtype), memoryInfo(this.#runtime, this.#device), out),
    );
    const allocator = this.#allocator;
    const dims = dimsOf(shape);
    return create((out) =>
      api.CreateTensorAsOrtValue(allocator, dims, shape.length, DTYPES[dtype].onnxType, out),
    );
  }

  /**
   * Copies one tensor into another of the same dtype and shape; either may be in host memory.
   * Blocks until it is done.
   */
  copy(dtype: DType, from: Pointer, to: Pointer): void {
    const binding = this.#bind(dtype, from, to);
    try {
      this.#runtime.api.RunWithBinding(this.#session(dtype), null, binding);
    } finally {
      this.#runtime.api.ReleaseIoBinding(binding);
    }
  }

  /** As `copy`, on a libuv thread. The tensors must live until it is done. */
  async copyAsync(dtype: DType, from: Pointer, to: Pointer): Promise<void> {
    const binding = this.#bind(dtype, from, to);
    try {
      await this.#runtime.api.async.RunWithBinding(this.#session(dtype), null, binding);
    } finally {
      this.#runtime.api.ReleaseIoBinding(binding);
    }
  }

  #bind(dtype: DType, from: Pointer, to: Pointer): Pointer {
    const { api } = this.#runtime;
    const binding = create((out) => api.CreateIoBinding(this.#session(dtype), out));
    try {
      // Binding an input of another device copies it to this one; a bound output receives its copy when the run ends.
      api.BindInput(binding, IDENTITY_INPUT, from);
      api.SynchronizeBoundInputs(binding);
      api.BindOutput(binding, IDENTITY_OUTPUT, to);
      return binding;
    } catch (error) {
      api.ReleaseIoBinding(binding);
      throw error;
    }
  }

  #session(dtype: DType): Pointer {
    let session = this.#sessions.get(dtype);
    if (session === undefined) {
      const { api, env } = this.#runtime;
      const model = identityModel(dtype);
      const options = createSessionOptions(this.#runtime, { device: this.#device, threads: 1 });
      try {
        session = create((out) => api.CreateSessionFromArray(env, model, model.byteLength, options, out));
      } finally {
        api.ReleaseSessionOptions(options);
      }
      this.#sessions.set(dtype, session);
    }
    return session;
  }
}

/** A shape as the C API takes it; never empty, as an empty array has no address. */
export function dimsOf(shape: readonly number[]): BigInt64Array {
  return shape.length === 0 ? new BigInt64Array(1) : BigInt64Array.from(shape, BigInt);
}

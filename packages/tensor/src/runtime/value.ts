// `Value`, a tensor the runtime can read and write: on the host or on a device, with an explicit end of life.
// Runs nothing; `session.ts` does.
import {
  allocateArray,
  DTYPES,
  type DType,
  dtypeFromOnnx,
  type TypedArray,
  type TypedArrayConstructor,
} from "../dtype.ts";
import { TensorError } from "../errors.ts";
import { elementCount, Tensor } from "../tensor.ts";
import { copyMemory, create, type Pointer, readNumber } from "./c-api.ts";
import { checkDevice, type Device, memoryInfo } from "./device.ts";
import { deviceMemory, dimsOf } from "./device-memory.ts";
import { loadRuntime, type Runtime } from "./library.ts";
import { forgottenObjects, NativeObject } from "./native-object.ts";

/** The runtime's tensor behind a `Value`. */
class NativeTensor extends NativeObject {
  /** The host array whose memory the tensor uses, kept reachable for as long; undefined when the runtime owns it. */
  readonly host: TypedArray | undefined;

  constructor(runtime: Runtime, pointer: Pointer, host?: TypedArray) {
    super(pointer, runtime.api.ReleaseValue);
    this.host = host;
  }
}

let nativeOf: (value: Value) => NativeTensor;
let wrap: (runtime: Runtime, native: NativeTensor, description: Description, device: Device) => Value;

interface Description {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Options of `Value.toTensor`. */
export interface ToTensorOptions {
  /**
   * Whether the tensor has memory of its own; default true. With false it shares the value's memory where that is a
   * host array of ours, and later runs that write the value show in the tensor.
   */
  readonly copy?: boolean;
}

/**
 * A tensor in the memory of a device, bound to inputs and outputs of runs. Dispose it when done: the memory of a
 * forgotten value is released at some later garbage collection, which does not see how large it is.
 *
 * Disposing a value that a run is using is safe: its memory is released when the run has finished. Two runs that use
 * one value at once, one of them writing, race for its contents.
 *
 * @example
 * using value = Value.fromTensor(Tensor.fromArray("float32", [2], [1, 2]));
 * (await value.toTensor()).toNumbers(); // [1, 2]
 */
export class Value implements Disposable {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly device: Device;
  readonly #runtime: Runtime;
  readonly #native: NativeTensor;

  static {
    nativeOf = (value) => value.#native;
    wrap = (runtime, native, description, device) => new Value(runtime, native, description, device);
  }

  private constructor(runtime: Runtime, native: NativeTensor, { dtype, shape }: Description, device: Device) {
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.device = device;
    this.#runtime = runtime;
    this.#native = native;
    forgottenObjects.register(this, native, this);
  }

  /**
   * A value with the contents of `tensor`. On "cpu" it uses the tensor's own memory, so writes of either show in the
   * other; on another device it is a copy, made before this returns.
   *
   * @throws TensorError `TENSOR_DEVICE_UNKNOWN`, `TENSOR_DEVICE_UNAVAILABLE`, `TENSOR_OUT_OF_MEMORY`
   */
  static fromTensor(tensor: Tensor, device: Device = "cpu"): Value {
    checkDevice(device);
    const runtime = loadRuntime();
    const host = Value.#onHost(runtime, tensor);
    if (device === "cpu") return host;
    using _ = host;
    const memory = deviceMemory(runtime, device);
    const pointer = memory.allocate(tensor.dtype, tensor.shape);
    try {
      memory.copy(tensor.dtype, host.#native.pointer, pointer);
    } catch (error) {
      runtime.api.ReleaseValue(pointer);
      throw error;
    }
    return new Value(runtime, new NativeTensor(runtime, pointer), tensor, device);
  }

  /**
   * A value of zeros.
   *
   * @throws TensorError `TENSOR_DEVICE_UNKNOWN`, `TENSOR_DEVICE_UNAVAILABLE`, `TENSOR_OUT_OF_MEMORY`
   */
  static allocate(dtype: DType, shape: readonly number[], device: Device = "cpu"): Value {
    checkDevice(device);
    let tensor: Tensor;
    try {
      tensor = Tensor.zeros(dtype, shape);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new TensorError(
        "TENSOR_OUT_OF_MEMORY",
        `cannot allocate ${dtype} [${shape.join(", ")}], ${elementCount(shape) * DTYPES[dtype].byteWidth} bytes`,
        { cause, details: { dtype, shape: [...shape] } },
      );
    }
    return Value.fromTensor(tensor, device);
  }

  /** True once `dispose()` was called. */
  get isDisposed(): boolean {
    return this.#native.isLetGo;
  }

  /** Size of the contents. */
  get byteLength(): number {
    return elementCount(this.shape) * DTYPES[this.dtype].byteWidth;
  }

  /**
   * The contents as a tensor: a copy with memory of its own, unless `copy: false` allows to share.
   *
   * @throws TensorError `TENSOR_VALUE_DISPOSED`, `TENSOR_OUT_OF_MEMORY`
   */
  async toTensor(options: ToTensorOptions = {}): Promise<Tensor> {
    const { pointer, host } = checkUsable(this, "toTensor");
    if (host) return new Tensor(this.dtype, this.shape, options.copy === false ? host : host.slice());
    // The runtime may have no address for what is empty.
    if (this.byteLength === 0) return Tensor.zeros(this.dtype, this.shape);
    if (this.device === "cpu") return this.#copyFromRuntime(pointer);
    const release = this.#native.hold();
    try {
      const tensor = Tensor.zeros(this.dtype, this.shape);
      using target = Value.#onHost(this.#runtime, tensor);
      await deviceMemory(this.#runtime, this.device).copyAsync(this.dtype, pointer, target.#native.pointer);
      return tensor;
    } finally {
      release();
    }
  }

  /** Gives the memory back, at once or when the runs that use it have finished. May be called again. */
  dispose(): void {
    forgottenObjects.unregister(this);
    this.#native.letGo();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #copyFromRuntime(pointer: Pointer): Tensor {
    const address = create((out) => this.#runtime.api.GetTensorMutableData(pointer, out));
    const buffer = copyMemory(address, this.byteLength);
    const arrayType = DTYPES[this.dtype].arrayType as TypedArrayConstructor<TypedArray>;
    return new Tensor(this.dtype, this.shape, new arrayType(buffer, 0, elementCount(this.shape)));
  }

  static #onHost(runtime: Runtime, tensor: Tensor): Value {
    const data = hostArray(tensor);
    const info = memoryInfo(runtime, "cpu");
    const { onnxType } = DTYPES[tensor.dtype];
    const dims = dimsOf(tensor.shape);
    const pointer = create((out) =>
      runtime.api.CreateTensorWithDataAsOrtValue(
        info,
        data.length === 0 ? new Uint8Array(8) : data,
        data.byteLength,
        dims,
        tensor.shape.length,
        onnxType,
        out,
      ),
    );
    return new Value(runtime, new NativeTensor(runtime, pointer, data), tensor, "cpu");
  }
}

/** The value for an object that a run returned; the value releases it. For `session.ts`. */
export function adoptValue(runtime: Runtime, pointer: Pointer, device: Device): Value {
  try {
    return wrap(runtime, new NativeTensor(runtime, pointer), describe(runtime, pointer), device);
  } catch (error) {
    runtime.api.ReleaseValue(pointer);
    throw error;
  }
}

/** A value that its owner may dispose: it stays usable by the runtime until it is released. */
export interface HeldValue {
  readonly pointer: Pointer;
  /** @throws TensorError `TENSOR_VALUE_DISPOSED` when it has been disposed, or its memory is gone */
  check(): void;
  /** To be called once. */
  release(): void;
}

/**
 * Holds `value` for `use`. For `binding.ts`.
 *
 * @throws TensorError `TENSOR_VALUE_DISPOSED`
 */
export function holdValue(value: Value, use: string): HeldValue {
  const native = checkUsable(value, use);
  return { pointer: native.pointer, check: () => void checkUsable(value, use), release: native.hold() };
}

/** @throws TensorError `TENSOR_VALUE_DISPOSED` when the memory of `value` is gone */
function checkUsable(value: Value, use: string): NativeTensor {
  const native = nativeOf(value);
  if (native.isLetGo) throw unusable(value, use, (what) => `the value ${what} was disposed before`);
  if (native.host && native.host.length !== elementCount(value.shape)) {
    throw unusable(
      value,
      use,
      (what) => `the buffer of the value ${what} was transferred away; keep buffers that values use`,
    );
  }
  return native;
}

function unusable(value: Value, use: string, explain: (what: string) => string): TensorError {
  const what = `${value.dtype} [${value.shape.join(", ")}]`;
  return new TensorError("TENSOR_VALUE_DISPOSED", `${use}: ${explain(what)}`);
}

/** The tensor's own array, or a copy where its memory could move or shrink. */
function hostArray(tensor: Tensor): TypedArray {
  const { data } = tensor;
  // Asking for the buffer of a small array also moves its elements to memory that stays where it is.
  const buffer = data.buffer as ArrayBufferLike & { readonly resizable?: boolean };
  if (!buffer.resizable) return data;
  const copy = allocateArray(tensor.dtype, data.length);
  copy.set(data as never);
  return copy;
}

function describe(runtime: Runtime, pointer: Pointer): Description {
  const { api } = runtime;
  if (readNumber((out) => api.IsTensor(pointer, out)) !== 1) {
    throw new TensorError("TENSOR_INVALID_ARGUMENT", "the runtime returned a value that is not a tensor");
  }
  const info = create((out) => api.GetTensorTypeAndShape(pointer, out));
  try {
    const dtype = dtypeFromOnnx(readNumber((out) => api.GetTensorElementType(info, out)));
    if (!dtype) {
      throw new TensorError(
        "TENSOR_DTYPE_MISMATCH",
        "the runtime returned a tensor of a dtype not supported here",
      );
    }
    return { dtype, shape: readShape(runtime, info) };
  } finally {
    api.ReleaseTensorTypeAndShapeInfo(info);
  }
}

/** The axes that a `OrtTensorTypeAndShapeInfo` names; −1 where the length is not fixed. */
export function readShape(runtime: Runtime, info: Pointer): number[] {
  const rank = readNumber((out) => runtime.api.GetDimensionsCount(info, out));
  const dims = new BigInt64Array(Math.max(1, rank));
  if (rank > 0) runtime.api.GetDimensions(info, dims, rank);
  return Array.from(dims.subarray(0, rank), Number);
}

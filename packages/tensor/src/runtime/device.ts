// The devices programs run on: their names, and how a session is told to use one.
import { TensorError } from "../errors.ts";
import { create, type Pointer } from "./c-api.ts";
import type { Runtime } from "./library.ts";

/** Names of the known devices. */
export const DEVICES = ["cpu", "cuda"] as const;

/** Where values live and sessions run; "cuda" is the first GPU that the process sees. */
export type Device = (typeof DEVICES)[number];

/** Name that the runtime's memory infos use for a device. */
const MEMORY_NAMES: Readonly<Record<Device, string>> = { cpu: "Cpu", cuda: "Cuda" };

const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

const CUDA_DEFAULTS: Readonly<Record<string, string>> = {
  device_id: "0",
  // Grow by what is asked for, not by powers of two: weights and caches come in few large pieces.
  arena_extend_strategy: "kSameAsRequested",
};

const memoryInfos = new Map<Runtime, Map<Device, Pointer>>();

/** @throws TensorError `TENSOR_DEVICE_UNKNOWN` when `device` is not one of `DEVICES` */
export function checkDevice(device: Device): void {
  if (DEVICES.includes(device)) return;
  throw new TensorError(
    "TENSOR_DEVICE_UNKNOWN",
    `unknown device ${JSON.stringify(device)}; known: ${DEVICES.join(", ")}`,
    { details: { device } },
  );
}

/** The runtime's description of a device's memory; made once and kept. */
export function memoryInfo(runtime: Runtime, device: Device): Pointer {
  let infos = memoryInfos.get(runtime);
  if (!infos) {
    infos = new Map();
    memoryInfos.set(runtime, infos);
  }
  let info = infos.get(device);
  if (info === undefined) {
    info = create((out) =>
      runtime.api.CreateMemoryInfo(MEMORY_NAMES[device], DEVICE_ALLOCATOR, 0, DEFAULT_MEMORY, out),
    );
    infos.set(device, info);
  }
  return info;
}

/**
 * Tells a session to be made with `sessionOptions` to run on `device`. The CPU needs nothing: it is always there.
 *
 * @param options the provider's own options by name, over this package's defaults
 * @throws TensorError `TENSOR_DEVICE_UNKNOWN`, or `TENSOR_DEVICE_UNAVAILABLE` when the library cannot use the device
 * @see https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html
 */
export function appendProvider(
  runtime: Runtime,
  sessionOptions: Pointer,
  device: Device,
  options: Readonly<Record<string, string>> = {},
): void {
  checkDevice(device);
  if (device === "cpu") return;
  const { api } = runtime;
  try {
    const cudaOptions = create((out) => api.CreateCUDAProviderOptions(out));
    try {
      const entries = Object.entries({ ...CUDA_DEFAULTS, ...options });
      const names = entries.map(([name]) => name);
      const values = entries.map(([, value]) => value);
      api.UpdateCUDAProviderOptions(cudaOptions, names, values, entries.length);
      api.AppendCudaProvider(sessionOptions, cudaOptions);
    } finally {
      api.ReleaseCUDAProviderOptions(cudaOptions);
    }
  } catch (cause) {
    throw new TensorError(
      "TENSOR_DEVICE_UNAVAILABLE",
      'device "cuda" cannot be used: ONNX Runtime did not load its CUDA provider. It needs Linux or Windows on x64, ' +
        "CUDA 12 and cuDNN 9 on the library path, and the provider's files, which onnxruntime-node downloads when its " +
        "install script may run: pnpm approve-builds onnxruntime-node, then ONNXRUNTIME_NODE_INSTALL=cuda12 pnpm " +
        'rebuild onnxruntime-node. Or use device "cpu"',
      { cause, details: { device } },
    );
  }
}

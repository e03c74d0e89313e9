// The typed function table over ONNX Runtime's C API. The only file that imports koffi: pointers are made,
// read and called here, and nothing above `runtime/` sees one. Decides nothing about devices, values or sessions.
import koffi from "koffi";
import { TensorError } from "../errors.ts";

/** Address of an object of the runtime. */
export type Pointer = bigint;

/** Where a C function writes one result: a list of one element, `[null]` or `[0]` before the call. */
export type OutPointer = [Pointer | null];

/** Signatures are written with these argument types; the right side is what TypeScript passes for each. */
interface ArgumentTypes {
  int: number;
  size_t: number;
  "void*": Pointer | null;
  "const char*": string;
  "const void*": ArrayBufferView;
  "void* data": ArrayBufferView;
  "const int64_t*": BigInt64Array;
  "const char**": readonly string[];
  "void**": readonly Pointer[];
  "path*": string;
  "_Out_ void**": OutPointer;
  "_Out_ int*": [number];
  "_Out_ size_t*": [number];
  "_Out_ int64_t*": BigInt64Array;
  "_Out_ char**": OutPointer;
}
type ArgumentType = keyof ArgumentTypes;

/** koffi's spelling where it differs from ours; a path is a wide string on Windows (`ORTCHAR_T`). */
const KOFFI_TYPES: Partial<Record<ArgumentType, string>> = {
  "void* data": "void*",
  "path*": process.platform === "win32" ? "str16" : "const char*",
  "_Out_ char**": "_Out_ void**",
};

/**
 * Position in `OrtApi` and arguments of every function used that returns a status. Entries are only ever appended to
 * `OrtApi`, so a position holds for every later version of the library.
 *
 * @see onnxruntime/core/session/onnxruntime_c_api.h
 */
const STATUS_FUNCTIONS = {
  CreateEnv: [3, "int", "const char*", "_Out_ void**"],
  DisableTelemetryEvents: [6, "void*"],
  CreateSessionOptions: [10, "_Out_ void**"],
  EnableProfiling: [14, "void*", "path*"],
  DisableMemPattern: [17, "void*"],
  DisableCpuMemArena: [19, "void*"],
  SetSessionLogSeverityLevel: [22, "void*", "int"],
  SetSessionGraphOptimizationLevel: [23, "void*", "int"],
  SetIntraOpNumThreads: [24, "void*", "int"],
  CreateCustomOpDomain: [26, "const char*", "_Out_ void**"],
  CustomOpDomain_Add: [27, "void*", "void*"],
  AddCustomOpDomain: [28, "void*", "void*"],
  SessionGetInputCount: [30, "void*", "_Out_ size_t*"],
  SessionGetOutputCount: [31, "void*", "_Out_ size_t*"],
  SessionGetInputTypeInfo: [33, "void*", "size_t", "_Out_ void**"],
  SessionGetOutputTypeInfo: [34, "void*", "size_t", "_Out_ void**"],
  SessionGetInputName: [36, "void*", "size_t", "void*", "_Out_ char**"],
  SessionGetOutputName: [37, "void*", "size_t", "void*", "_Out_ char**"],
  CreateRunOptions: [39, "_Out_ void**"],
  RunOptionsSetTerminate: [46, "void*"],
  RunOptionsUnsetTerminate: [47, "void*"],
  CreateTensorAsOrtValue: [48, "void*", "const int64_t*", "size_t", "int", "_Out_ void**"],
  CreateTensorWithDataAsOrtValue: [
    49,
    "void*",
    "void* data",
    "size_t",
    "const int64_t*",
    "size_t",
    "int",
    "_Out_ void**",
  ],
  IsTensor: [50, "void*", "_Out_ int*"],
  GetTensorMutableData: [51, "void*", "_Out_ void**"],
  CastTypeInfoToTensorInfo: [55, "void*", "_Out_ void**"],
  GetTensorElementType: [60, "void*", "_Out_ int*"],
  GetDimensionsCount: [61, "void*", "_Out_ size_t*"],
  GetDimensions: [62, "void*", "_Out_ int64_t*", "size_t"],
  GetSymbolicDimensions: [63, "void*", "_Out_ int64_t*", "size_t"],
  GetTensorTypeAndShape: [65, "void*", "_Out_ void**"],
  CreateMemoryInfo: [68, "const char*", "int", "int", "int", "_Out_ void**"],
  AllocatorFree: [76, "void*", "void*"],
  GetAllocatorWithDefaultOptions: [78, "_Out_ void**"],
  SessionEndProfiling: [110, "void*", "void*", "_Out_ char**"],
  AddSessionConfigEntry: [130, "void*", "const char*", "const char*"],
  CreateAllocator: [131, "void*", "void*", "_Out_ void**"],
  RunWithBinding: [133, "void*", "void*", "void*"],
  CreateIoBinding: [134, "void*", "_Out_ void**"],
  BindInput: [136, "void*", "const char*", "void*"],
  BindOutput: [137, "void*", "const char*", "void*"],
  BindOutputToDevice: [138, "void*", "const char*", "void*"],
  GetBoundOutputValues: [140, "void*", "void*", "_Out_ void**", "_Out_ size_t*"],
  AddInitializer: [150, "void*", "const char*", "void*"],
  AddRunConfigEntry: [165, "void*", "const char*", "const char*"],
  CreatePrepackedWeightsContainer: [166, "_Out_ void**"],
  CreateSessionFromArray: [8, "void*", "const void*", "size_t", "void*", "_Out_ void**"],
  CreateSessionFromArrayWithPrepackedWeightsContainer: [
    169,
    "void*",
    "const void*",
    "size_t",
    "void*",
    "void*",
    "_Out_ void**",
  ],
  SynchronizeBoundInputs: [202, "void*"],
  AppendCudaProvider: [204, "void*", "void*"],
  CreateCUDAProviderOptions: [205, "_Out_ void**"],
  UpdateCUDAProviderOptions: [206, "void*", "const char**", "const char**", "size_t"],
  AddExternalInitializers: [210, "void*", "const char**", "void**", "size_t"],
  SetDeterministicCompute: [273, "void*", "int"],
} as const satisfies Record<string, readonly [number, ...ArgumentType[]]>;

/** Position of the functions that release an object; each takes the object and returns nothing. */
const RELEASE_FUNCTIONS = {
  ReleaseStatus: 93,
  ReleaseMemoryInfo: 94,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseRunOptions: 97,
  ReleaseTypeInfo: 98,
  ReleaseTensorTypeAndShapeInfo: 99,
  ReleaseSessionOptions: 100,
  ReleaseAllocator: 132,
  ReleaseIoBinding: 135,
  ReleasePrepackedWeightsContainer: 167,
  ReleaseCUDAProviderOptions: 208,
} as const satisfies Record<string, number>;

const GET_ERROR_CODE = 1;
const GET_ERROR_MESSAGE = 2;
const TABLE_LENGTH = 274;

type StatusFunctions = typeof STATUS_FUNCTIONS;
type StatusName = keyof StatusFunctions;
type ReleaseName = keyof typeof RELEASE_FUNCTIONS;
type ValuesOf<T extends readonly unknown[]> = {
  -readonly [I in keyof T]: ArgumentTypes[T[I] & ArgumentType];
};
type ArgumentsOf<N extends StatusName> = StatusFunctions[N] extends readonly [
  number,
  ...infer Types extends unknown[],
]
  ? ValuesOf<Types>
  : never;

/**
 * The functions of the runtime. A failed call throws a `TensorError`; those under `async` run on a libuv thread and
 * reject instead. Buffers passed to an `async` function are kept reachable until it returns.
 */
export type CApi = { readonly [N in StatusName]: (...args: ArgumentsOf<N>) => void } & {
  readonly [N in ReleaseName]: (pointer: Pointer) => void;
} & {
  readonly async: { readonly [N in StatusName]: (...args: ArgumentsOf<N>) => Promise<void> };
  readonly asyncRelease: (name: ReleaseName, pointer: Pointer) => Promise<void>;
  /** The function table itself, for the native kernels. */
  readonly table: Pointer;
};

interface NativeFunction {
  (...args: unknown[]): Pointer | null;
  async(...args: unknown[]): void;
}

/** What `OrtGetApiBase()` of an opened library offers. */
export interface ApiBase {
  /** The library's own version, "1.30.0". */
  readonly versionString: string;
  /** The functions as of `apiVersion`, or undefined when the library does not serve that version. */
  getApi(apiVersion: number): CApi | undefined;
}

/** C functions run on stacks that koffi allocates; its 128 KiB for asynchronous calls is too little for a runtime. */
const STACK_BYTES = 8 * 1024 * 1024;

/** Libraries stay open for the life of the process: were one collected, it would be unloaded under its own threads. */
const openLibraries: unknown[] = [];

/**
 * Opens the shared library at `path`, for ever, and reads its `OrtApiBase`.
 *
 * @returns undefined when the library has no `OrtGetApiBase`, so is not ONNX Runtime
 * @throws Error of the system's loader when it cannot be opened
 * @throws TensorError `TENSOR_LIBRARY_INCOMPATIBLE` when koffi was put to use with small stacks before
 */
export function openLibrary(path: string): ApiBase | undefined {
  ensureStackSize();
  const library = koffi.load(path);
  openLibraries.push(library);
  pinLibrary(path);
  let getApiBase: NativeFunction;
  try {
    getApiBase = library.func("OrtGetApiBase", "void*", []) as unknown as NativeFunction;
  } catch {
    return undefined;
  }
  const [getApi, getVersionString] = koffi.decode(getApiBase(), "void*", 2) as [Pointer, Pointer];
  return {
    versionString: koffi.call(getVersionString, koffi.proto("str", [])) as string,
    getApi(apiVersion) {
      const api = koffi.call(getApi, koffi.proto("void*", ["uint32_t"]), apiVersion) as Pointer | null;
      return api === null ? undefined : createApi(api, koffi.decode(api, "void*", TABLE_LENGTH) as Pointer[]);
    },
  };
}

/** The library of native kernels; see `native/operators.c` and `native/paths.c`. */
export interface KernelLibrary {
  /** One new `OrtCustomOp` per operator, with `threads` threads of the pool (0: the runtime's), for the process's life. */
  operators(api: CApi, threads: number): Pointer[];
  /** Names of the instruction-set paths that this CPU can run, best first. */
  paths(): string[];
  /** Makes a path the one that runs; false when this CPU cannot. */
  usePath(path: string): boolean;
}

/**
 * Opens the native kernels at `path`, for ever.
 *
 * @throws Error of the system's loader when it cannot be opened
 */
export function openKernelLibrary(path: string): KernelLibrary {
  ensureStackSize();
  const library = koffi.load(path);
  openLibraries.push(library);
  pinLibrary(path);
  const count = library.func("flacuna_operator_count", "size_t", []);
  const operator = library.func("flacuna_operator", "void*", ["void*", "size_t", "size_t"]);
  const pathName = library.func("flacuna_path", "str", ["size_t"]);
  const usePath = library.func("flacuna_use_path", "int", ["str"]);
  return {
    operators: (api, threads) =>
      Array.from({ length: Number(count()) }, (_, i) => operator(api.table, i, threads) as Pointer),
    paths() {
      const names: string[] = [];
      for (let name = pathName(0); name !== null; name = pathName(names.length)) names.push(name as string);
      return names;
    },
    usePath: (name) => usePath(name) !== 0,
  };
}

/** Calls a function whose last argument is a `_Out_ void**` and returns what it wrote. */
export function create(call: (out: OutPointer) => void): Pointer {
  const out: OutPointer = [null];
  call(out);
  if (out[0] === null) throw new TensorError("TENSOR_INTERNAL", "the runtime returned a null object");
  return out[0];
}

/** Calls a function whose last argument receives a number and returns it. */
export function readNumber(call: (out: [number]) => void): number {
  const out: [number] = [0];
  call(out);
  return Number(out[0]);
}

/** The zero-terminated UTF-8 string at `pointer`. */
export function readString(pointer: Pointer): string {
  return koffi.decode.string(pointer);
}

/** The `length` pointers stored at `pointer`. */
export function readPointers(pointer: Pointer, length: number): Pointer[] {
  return koffi.decode(pointer, "void*", length) as Pointer[];
}

/** Calls a function that writes the addresses of `length` strings, and returns the strings; "" for a null address. */
export function readStrings(length: number, call: (out: BigInt64Array) => void): string[] {
  if (length === 0) return [];
  const addresses = new BigInt64Array(length);
  call(addresses);
  return Array.from(addresses, (address) => (address === 0n ? "" : readString(BigInt.asUintN(64, address))));
}

/** A copy, in a new `ArrayBuffer`, of `byteLength` bytes of host memory at `pointer`. */
export function copyMemory(pointer: Pointer, byteLength: number): ArrayBuffer {
  return byteLength === 0 ? new ArrayBuffer(0) : koffi.view(pointer, byteLength).slice(0);
}

/** `byteLength` bytes of host memory at `pointer`, which must outlive the buffer. */
export function viewMemory(pointer: Pointer, byteLength: number): ArrayBuffer {
  return koffi.view(pointer, byteLength);
}

/** Calls of the C library, looked up once. */
let systemCalls: { readonly mmap: NativeFunction; readonly munmap: NativeFunction } | undefined;

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_PRIVATE = 2;
const MAP_FAILED = 2n ** 64n - 1n;

/**
 * The first `byteLength` bytes of an open file as memory: pages are read when they are first looked at and shared with
 * whoever maps the file, until they are written, which makes a copy of this process's own.
 *
 * @returns undefined when the system refuses, or has no such call, as Windows
 */
export function mapMemory(
  descriptor: number,
  byteLength: number,
): { readonly pointer: Pointer; readonly close: () => void } | undefined {
  if (process.platform === "win32") return undefined;
  systemCalls ??= openSystemCalls();
  const { mmap, munmap } = systemCalls;
  const pointer = mmap(null, byteLength, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
  if (pointer === null || pointer === MAP_FAILED) return undefined;
  return { pointer, close: () => void munmap(pointer, byteLength) };
}

function openSystemCalls(): NonNullable<typeof systemCalls> {
  ensureStackSize();
  const library = koffi.load(null);
  const bind = (name: string, result: string, args: string[]) =>
    library.func(name, result, args) as unknown as NativeFunction;
  return {
    mmap: bind("mmap", "void*", ["void*", "size_t", "int", "int", "int", "int64_t"]),
    munmap: bind("munmap", "int", ["void*", "size_t"]),
  };
}

function createApi(address: Pointer, table: readonly Pointer[]): CApi {
  const bind = (index: number, result: string, args: readonly string[]) =>
    koffi.decode(table[index], koffi.proto(result, [...args])) as NativeFunction;
  const errorCode = bind(GET_ERROR_CODE, "int", ["void*"]) as unknown as (status: Pointer) => number;
  const errorMessage = bind(GET_ERROR_MESSAGE, "str", ["void*"]) as unknown as (status: Pointer) => string;
  const releaseStatus = bind(RELEASE_FUNCTIONS.ReleaseStatus, "void", ["void*"]);

  const check = (name: string, status: Pointer | null) => {
    if (status === null) return;
    const code = errorCode(status);
    const message = errorMessage(status);
    releaseStatus(status);
    throw toTensorError(name, code, message);
  };

  const api: Record<string, unknown> = {};
  const asynchronous: Record<string, unknown> = {};
  for (const [name, [index, ...args]] of Object.entries(STATUS_FUNCTIONS)) {
    const call = bind(
      index,
      "void*",
      args.map((type) => KOFFI_TYPES[type] ?? type),
    );
    api[name] = (...values: unknown[]) => check(name, call(...values));
    asynchronous[name] = (...values: unknown[]) =>
      callAsync(call, values).then((status) => check(name, status));
  }
  const releases = new Map<string, NativeFunction>();
  for (const [name, index] of Object.entries(RELEASE_FUNCTIONS)) {
    const release = bind(index, "void", ["void*"]);
    releases.set(name, release);
    api[name] = release;
  }
  const asyncRelease = (name: ReleaseName, pointer: Pointer) => callAsync(releases.get(name)!, [pointer]);
  return { ...api, async: asynchronous, asyncRelease, table: address } as unknown as CApi;
}

function callAsync(call: NativeFunction, values: unknown[]): Promise<Pointer | null> {
  return new Promise((resolve, reject) => {
    call.async(...values, (error: unknown, status: Pointer | null) => {
      // Naming the arguments here keeps the buffers among them reachable while the call runs.
      void values;
      if (error) reject(error);
      else resolve(status);
    });
  });
}

/** How the runtime, the C++ library and CUDA say that memory ran out. */
const OUT_OF_MEMORY =
  /bad_alloc|out of memory|Failed to allocate memory|ALLOC_FAILED|Available memory of .* is smaller than requested/i;

function toTensorError(name: string, code: number, message: string): TensorError {
  const isOutOfMemory = OUT_OF_MEMORY.test(message);
  return new TensorError(
    isOutOfMemory ? "TENSOR_OUT_OF_MEMORY" : "TENSOR_RUNTIME",
    `ONNX Runtime, ${name}: ${message}`,
    { details: { function: name, runtimeCode: code } },
  );
}

function ensureStackSize(): void {
  const config = koffi.config();
  if (config.async_stack_size! >= STACK_BYTES && config.sync_stack_size! >= STACK_BYTES) return;
  try {
    koffi.config({ async_stack_size: STACK_BYTES, sync_stack_size: STACK_BYTES });
  } catch (cause) {
    throw new TensorError(
      "TENSOR_LIBRARY_INCOMPATIBLE",
      "koffi already called another library in this process with stacks too small for ONNX Runtime; " +
        `load @flacuna/tensor first, or call koffi.config({ async_stack_size: ${STACK_BYTES}, ` +
        `sync_stack_size: ${STACK_BYTES} }) before the other library`,
      { cause },
    );
  }
}

/**
 * Opens the library once more outside koffi, which closes its own handle while a process or worker ends: threads of
 * the runtime would then run code that is no longer mapped.
 */
function pinLibrary(path: string): void {
  if (process.platform === "win32") {
    koffi.load("kernel32.dll").func("LoadLibraryW", "void*", ["str16"])(path);
  } else {
    const RTLD_NOW = 2;
    koffi.load(null).func("dlopen", "void*", ["str", "int"])(path, RTLD_NOW);
  }
}

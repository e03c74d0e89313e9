// The native kernels of this process: found or built once, registered with the runtime as operators. Knows no operator by name.
import { TensorError } from "../errors.ts";
import { buildKernels } from "./build-kernels.ts";
import { create, type KernelLibrary, openKernelLibrary, type Pointer } from "./c-api.ts";
import { loadRuntime } from "./library.ts";

/** ONNX domain of the native operators. */
export const KERNEL_DOMAIN = "flacuna";

/** The native kernels, ready to be used by sessions. */
export interface NativeKernels {
  readonly library: KernelLibrary;
  /** for `SessionSettings.operatorDomain`: operators that compute with so many threads of the pool, 0 for the runtime's */
  domainFor(threads: number): Pointer;
}

/** Whether the native kernels can be used here, and how. */
export interface KernelStatus {
  /** the instruction-set path in use; absent when everything runs on the runtime's own operators */
  readonly path?: string;
  /** the paths that this CPU can run, best first */
  readonly paths: readonly string[];
  /** why there are no native kernels */
  readonly reason?: string;
}

interface Loaded {
  readonly kernels?: NativeKernels;
  readonly reason?: string;
}

let loading: Promise<Loaded> | undefined;
let activePath: string | undefined;

/** Set to "off" for the runtime's own operators only, or to the name of a path. */
const SETTING = "FLACUNA_KERNELS";

async function load(): Promise<Loaded> {
  const setting = process.env[SETTING];
  if (setting === "off") return { reason: `${SETTING}=off` };
  const { library, reason } = await openLibrary();
  if (library === undefined) {
    if (setting) throw new TensorError("TENSOR_INVALID_ARGUMENT", `${SETTING}=${setting}: ${reason}`);
    return { reason };
  }
  usePath(library, setting || library.paths()[0]!);
  const domains = new Map<number, Pointer>();
  const domainFor = (threads: number) => {
    const domain = domains.get(threads) ?? createDomain(library, threads);
    domains.set(threads, domain);
    return domain;
  };
  return { kernels: { library, domainFor } };
}

function createDomain(library: KernelLibrary, threads: number): Pointer {
  const { api } = loadRuntime();
  const domain = create((out) => api.CreateCustomOpDomain(KERNEL_DOMAIN, out));
  for (const operator of library.operators(api, threads)) api.CustomOpDomain_Add(domain, operator);
  return domain;
}

/** The library; without it, why there is none. */
async function openLibrary(): Promise<
  { library: KernelLibrary; reason?: never } | { library?: never; reason: string }
> {
  if (process.platform === "win32") return { reason: "native kernels are for Linux and macOS" };
  let path: string;
  try {
    path = await buildKernels();
  } catch (cause) {
    return { reason: explainFailure(cause as NodeJS.ErrnoException) };
  }
  try {
    return { library: openKernelLibrary(path) };
  } catch (cause) {
    return { reason: `cannot load ${path} (remove it to build it again): ${(cause as Error).message}` };
  }
}

function explainFailure({ code, syscall, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT" && syscall?.startsWith("spawn"))
    return "no C compiler found (install gcc or clang, or set CC)";
  if (syscall !== undefined && !syscall.startsWith("spawn"))
    return `native kernels are built in a folder that XDG_CACHE_HOME says: ${message}`;
  return `the C compiler failed: ${message.split("\n").slice(0, 6).join("; ")}`;
}

function usePath(library: KernelLibrary, path: string): void {
  if (!library.usePath(path)) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `native kernels: this CPU cannot run the path "${path}"; expected one of ${library.paths().join(", ")}`,
    );
  }
  activePath = path;
}

const loadOnce = (): Promise<Loaded> => {
  loading ??= load();
  return loading;
};

/** The native kernels; undefined where there is no compiler, or when they are turned off. */
export async function nativeKernels(): Promise<NativeKernels | undefined> {
  return (await loadOnce()).kernels;
}

/** The instruction-set path that all native operators of this process take; undefined before there are any. */
export const activeKernelPath = (): string | undefined => activePath;

/**
 * Whether and how this process uses native kernels. The first call builds them where a C compiler is present (seconds,
 * cached under the user's cache folder by a hash of the sources).
 */
export async function kernelStatus(): Promise<KernelStatus> {
  const { kernels, reason } = await loadOnce();
  if (kernels === undefined) return { paths: [], ...(reason !== undefined && { reason }) };
  return { path: activePath!, paths: kernels.library.paths() };
}

/**
 * Makes all native kernels of this process take one instruction-set path, for tests and measurements.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when this CPU cannot run it, or there are no native kernels
 */
export async function useKernelPath(path: string): Promise<void> {
  const { kernels, reason } = await loadOnce();
  if (kernels === undefined)
    throw new TensorError("TENSOR_INVALID_ARGUMENT", `useKernelPath: there are no native kernels: ${reason}`);
  usePath(kernels.library, path);
}

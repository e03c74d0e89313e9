// Finds the ONNX Runtime library that onnxruntime-node ships, checks that it fits, and opens its environment.
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { TensorError } from "../errors.ts";
import { type ApiBase, type CApi, create, openLibrary, type Pointer } from "./c-api.ts";

/**
 * Version of the C API asked of the library, the one of ONNX Runtime 1.23. Every 1.x from there on serves it, as
 * the API only grows; older ones lack operators and behaviours this package relies on. Tested with 1.30.0.
 */
const API_VERSION = 23;

const LIBRARY_NAME = /^(libonnxruntime\.so(\.\d+)*|libonnxruntime(\.[\d.]+)?\.dylib|onnxruntime\.dll)$/;

/** Severity "fatal": errors are thrown, so nothing is written to the standard error stream as well. */
const LOG_SEVERITY_FATAL = 4;

/** An open library with its environment. Lives as long as the process. */
export interface Runtime {
  readonly api: CApi;
  readonly env: Pointer;
  /** Frees what the runtime hands out, such as names. */
  readonly allocator: Pointer;
  /** Version of the library, "1.30.0". */
  readonly version: string;
  readonly libraryPath: string;
}

/** Options of `loadRuntime`. */
export interface RuntimeOptions {
  /** Path of another build of ONNX Runtime; by default the one inside onnxruntime-node. */
  readonly libraryPath?: string;
}

const runtimes = new Map<string, Runtime>();
let defaultRuntime: Runtime | undefined;

/**
 * Loads ONNX Runtime once per path and process.
 *
 * @throws TensorError `TENSOR_LIBRARY_MISSING` when there is no library for this platform or at the path,
 * `TENSOR_LIBRARY_INCOMPATIBLE` when the file is not ONNX Runtime 1.23 or a later 1.x
 */
export function loadRuntime(options: RuntimeOptions = {}): Runtime {
  if (options.libraryPath === undefined) {
    defaultRuntime ??= loadFrom(findLibrary());
    return defaultRuntime;
  }
  return loadFrom(options.libraryPath);
}

function loadFrom(libraryPath: string): Runtime {
  let runtime = runtimes.get(libraryPath);
  if (!runtime) {
    runtime = openRuntime(libraryPath);
    runtimes.set(libraryPath, runtime);
  }
  return runtime;
}

function openRuntime(libraryPath: string): Runtime {
  const base = open(libraryPath);
  const api = isSupported(base.versionString) ? base.getApi(API_VERSION) : undefined;
  if (!api) {
    throw new TensorError(
      "TENSOR_LIBRARY_INCOMPATIBLE",
      `${libraryPath} is ONNX Runtime ${base.versionString}; need 1.${API_VERSION} or a later 1.x ` +
        "(install the version of onnxruntime-node that this package depends on)",
      { details: { libraryPath, version: base.versionString } },
    );
  }
  const env = create((out) => api.CreateEnv(LOG_SEVERITY_FATAL, "flacuna", out));
  api.DisableTelemetryEvents(env);
  const allocator = create((out) => api.GetAllocatorWithDefaultOptions(out));
  return { api, env, allocator, version: base.versionString, libraryPath };
}

function open(libraryPath: string): ApiBase {
  let base: ApiBase | undefined;
  try {
    base = openLibrary(libraryPath);
  } catch (cause) {
    if (cause instanceof TensorError) throw cause;
    const isMissing = !existsSync(libraryPath);
    throw new TensorError(
      isMissing ? "TENSOR_LIBRARY_MISSING" : "TENSOR_LIBRARY_INCOMPATIBLE",
      `cannot load ONNX Runtime from ${libraryPath}: ${isMissing ? "no such file" : (cause as Error).message}`,
      { cause, details: { libraryPath } },
    );
  }
  if (!base) {
    throw new TensorError(
      "TENSOR_LIBRARY_INCOMPATIBLE",
      `${libraryPath} is not ONNX Runtime: it has no function OrtGetApiBase`,
      { details: { libraryPath } },
    );
  }
  return base;
}

function isSupported(version: string): boolean {
  const match = /^1\.(\d+)\./.exec(version);
  return match !== null && Number(match[1]) >= API_VERSION;
}

/** Path of the library inside the installed onnxruntime-node: `bin/napi-v<n>/<platform>/<arch>/`. */
function findLibrary(): string {
  const { platform, arch } = process;
  let root: string;
  try {
    root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  } catch (cause) {
    throw new TensorError(
      "TENSOR_LIBRARY_MISSING",
      "onnxruntime-node is not installed; run npm i onnxruntime-node",
      {
        cause,
      },
    );
  }
  const bin = join(root, "bin");
  for (const version of existsSync(bin) ? readdirSync(bin) : []) {
    const folder = join(bin, version, platform, arch);
    const name = existsSync(folder)
      ? readdirSync(folder).find((file) => LIBRARY_NAME.test(basename(file)))
      : undefined;
    if (name) return join(folder, name);
  }
  throw new TensorError(
    "TENSOR_LIBRARY_MISSING",
    `onnxruntime-node at ${root} has no library for ${platform} ${arch}; give one by libraryPath`,
    { details: { root, platform, arch } },
  );
}

// Weights given to a session as values: how a model declares them, and how the session is told of them.
import { basename, dirname } from "node:path";
import { DTYPES, type DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import type { Pointer } from "./c-api.ts";
import type { Device } from "./device.ts";
import { loadRuntime, type Runtime } from "./library.ts";
import { holdValue, type Value } from "./value.ts";

/** The ONNX `TensorProto` of a weight that is given as a value, as plain data. */
export interface InitializerDeclaration {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly externalData: readonly { readonly key: string; readonly value: string }[];
  /** 1: EXTERNAL */
  readonly dataLocation: number;
}

/** Behind the end of any file, so that reading there fails. */
const NOWHERE = 2 ** 50;

/**
 * The `TensorProto` to put into `graph.initializer` for a weight that `createSession` receives in `initializers`.
 *
 * The runtime demands that the tensor is declared with its dtype and full shape, as external data
 * (`data_location = EXTERNAL`) with a `location`. The location may name nothing: no file of that name is looked for,
 * and neither offset nor length is needed. A declared weight without a value fails when the session is created.
 *
 * An opaque weight is one that no rewrite of the graph computes with: the runtime need not know what is in it, and makes no
 * copy. Its location must name a file that exists, which is not read: the runtime's own library.
 *
 * @param weight static shape: every axis a number
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when an axis is symbolic
 */
export function declareInitializer(
  name: string,
  weight: { readonly dtype: DType; readonly shape: readonly unknown[] },
  { isOpaque = false }: { readonly isOpaque?: boolean } = {},
): InitializerDeclaration {
  const dims = weight.shape.map((axis) => {
    if (typeof axis === "number") return axis;
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `weight "${name}": every axis must be a number, got ${axis}`,
    );
  });
  return {
    name,
    dims,
    dataType: DTYPES[weight.dtype].onnxType,
    externalData: isOpaque
      ? [
          { key: "location", value: basename(loadRuntime().libraryPath) },
          { key: "offset", value: String(NOWHERE) },
        ]
      : [{ key: "location", value: "given-as-value" }],
    dataLocation: 1,
  };
}

/**
 * Gives `initializers` to the session that will be made with `sessionOptions`.
 *
 * @returns a function that lets the values go, to be called when the session has been released
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when a value is not on the CPU, `TENSOR_VALUE_DISPOSED`
 */
export function addInitializers(
  runtime: Runtime,
  sessionOptions: Pointer,
  initializers: ReadonlyMap<string, Value>,
  {
    device,
    opaqueInitializers,
  }: { readonly device: Device; readonly opaqueInitializers?: ReadonlySet<string> },
): () => void {
  const { api } = runtime;
  const held = new Map<string, { readonly pointer: Pointer; readonly release: () => void }>();
  const releaseAll = () => {
    for (const { release } of held.values()) release();
    held.clear();
  };
  if (initializers.size === 0) return releaseAll;
  try {
    for (const [name, value] of initializers) {
      if (value.device !== "cpu") {
        throw new TensorError(
          "TENSOR_INVALID_ARGUMENT",
          `createSession: initializer "${name}" is on ${value.device}; give a value on cpu, which the session copies ` +
            "to its device, or make it an input to share one copy on the device",
          { details: { name, device: value.device } },
        );
      }
      held.set(name, holdValue(value, `createSession: initializer "${name}"`));
    }
    // Both calls are needed. This one replaces the declaration by the value, so that the runtime checks dtype and
    // shape, needs no file, and rewrites of the graph compute with the true contents, of which it makes a copy.
    const known = [...held].filter(([name]) => !opaqueInitializers?.has(name));
    const pointers = known.map(([, { pointer }]) => pointer);
    if (known.length > 0) {
      const names = known.map(([name]) => name);
      api.AddExternalInitializers(sessionOptions, names, pointers, pointers.length);
    }
    // Where the opaque ones are declared to lie.
    const folder = dirname(runtime.libraryPath);
    api.AddSessionConfigEntry(sessionOptions, "session.model_external_initializers_file_folder_path", folder);
    // This one makes kernels on the CPU read the value itself, without a copy, and lets packed forms be shared.
    if (device === "cpu") {
      for (const [name, { pointer }] of held) api.AddInitializer(sessionOptions, name, pointer);
    }
    return releaseAll;
  } catch (error) {
    releaseAll();
    throw error;
  }
}

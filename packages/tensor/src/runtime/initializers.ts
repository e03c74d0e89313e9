// Weights given to a session as values: how a model declares them, and how the session is told of them.
import { DTYPES, type DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import type { Pointer } from "./c-api.ts";
import type { Device } from "./device.ts";
import type { Runtime } from "./library.ts";
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

/**
 * The `TensorProto` to put into `graph.initializer` for a weight that `createSession` receives in `initializers`.
 *
 * The runtime demands that the tensor is declared with its dtype and full shape, as external data
 * (`data_location = EXTERNAL`) with a `location`. The location may name nothing: no file of that name is looked for,
 * and neither offset nor length is needed. A declared weight without a value fails when the session is created.
 *
 * @param weight static shape: every axis a number
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when an axis is symbolic
 */
export function declareInitializer(
  name: string,
  weight: { readonly dtype: DType; readonly shape: readonly unknown[] },
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
    externalData: [{ key: "location", value: "given-as-value" }],
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
  device: Device,
): () => void {
  const { api } = runtime;
  const held: { pointer: Pointer; release: () => void }[] = [];
  const releaseAll = () => {
    for (const { release } of held.splice(0)) release();
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
      held.push(holdValue(value, `createSession: initializer "${name}"`));
    }
    const pointers = held.map(({ pointer }) => pointer);
    // Both calls are needed. This one replaces the declaration by the value, so that the runtime checks dtype and
    // shape, needs no file, and rewrites of the graph compute with the true contents; alone, it copies.
    api.AddExternalInitializers(sessionOptions, [...initializers.keys()], pointers, pointers.length);
    // This one makes kernels on the CPU read the value itself, without a copy, and lets packed forms be shared.
    if (device === "cpu") {
      let index = 0;
      for (const name of initializers.keys()) api.AddInitializer(sessionOptions, name, pointers[index++]!);
    }
    return releaseAll;
  } catch (error) {
    releaseAll();
    throw error;
  }
}

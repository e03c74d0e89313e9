// What a session declares of its inputs and outputs, and whether values fit. Runs nothing.
import { type DType, dtypeFromOnnx } from "../dtype.ts";
import { TensorError, type TensorErrorCode } from "../errors.ts";
import { create, type Pointer, readNumber, readString, readStrings } from "./c-api.ts";
import type { Runtime } from "./library.ts";
import { readShape, type Value } from "./value.ts";

/** One declared input or output. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  /**
   * An axis is its length, the name of a length that is the same wherever the name occurs, or null when it is not
   * known. Undefined for a scalar or when the rank is not known, which the runtime does not tell apart.
   */
  readonly shape: readonly (number | string | null)[] | undefined;
}

/** Inputs or outputs by name, in the model's order. */
export type Ports = ReadonlyMap<string, Port>;

/**
 * The declared inputs or outputs of a session.
 *
 * @throws TensorError `TENSOR_DTYPE_MISMATCH` when one is no tensor of a dtype of this package
 */
export function readPorts(runtime: Runtime, session: Pointer, side: "Input" | "Output"): Ports {
  const { api, allocator } = runtime;
  const count = readNumber((out) => api[`SessionGet${side}Count`](session, out));
  const ports = new Map<string, Port>();
  for (let index = 0; index < count; index++) {
    const address = create((out) => api[`SessionGet${side}Name`](session, index, allocator, out));
    const name = readString(address);
    api.AllocatorFree(allocator, address);
    const typeInfo = create((out) => api[`SessionGet${side}TypeInfo`](session, index, out));
    try {
      ports.set(name, readPort(runtime, typeInfo, name));
    } finally {
      api.ReleaseTypeInfo(typeInfo);
    }
  }
  return ports;
}

function readPort(runtime: Runtime, typeInfo: Pointer, name: string): Port {
  const { api } = runtime;
  const out: [Pointer | null] = [null];
  api.CastTypeInfoToTensorInfo(typeInfo, out);
  const info = out[0];
  const dtype =
    info === null ? undefined : dtypeFromOnnx(readNumber((type) => api.GetTensorElementType(info, type)));
  if (info === null || !dtype) {
    throw new TensorError(
      "TENSOR_DTYPE_MISMATCH",
      `createSession: input or output "${name}" is not a tensor of a supported dtype`,
      { details: { name } },
    );
  }
  const lengths = readShape(runtime, info);
  const names = readStrings(lengths.length, (addresses) =>
    api.GetSymbolicDimensions(info, addresses, lengths.length),
  );
  const shape = lengths.map((length, axis) => (length >= 0 ? length : names[axis] || null));
  return { name, dtype, shape: shape.length === 0 ? undefined : shape };
}

/**
 * Checks that `inputs` are all the declared ones, `outputs` some of the declared ones, and that every value has the
 * declared dtype and a shape that fits, with one length for each named axis.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT`, `TENSOR_DTYPE_MISMATCH`, `TENSOR_SHAPE_MISMATCH`
 */
export function checkBindings(
  declaredInputs: Ports,
  inputs: ReadonlyMap<string, Value>,
  declaredOutputs: Ports,
  outputs: ReadonlyMap<string, Value | null>,
): void {
  const lengths = new Map<string, number>();
  for (const [name, value] of inputs)
    checkValue("input", portOf("input", declaredInputs, name), value, lengths);
  if (inputs.size !== declaredInputs.size) {
    const missing = [...declaredInputs.keys()].filter((name) => !inputs.has(name));
    fail("TENSOR_INVALID_ARGUMENT", `inputs missing: ${missing.join(", ")}`, { missing });
  }
  if (outputs.size === 0) fail("TENSOR_INVALID_ARGUMENT", "name at least one output", {});
  for (const [name, value] of outputs) {
    const port = portOf("output", declaredOutputs, name);
    if (value) checkValue("output", port, value, lengths);
  }
}

function portOf(side: string, ports: Ports, name: string): Port {
  const port = ports.get(name);
  if (port) return port;
  const known = [...ports.keys()];
  return fail("TENSOR_INVALID_ARGUMENT", `no ${side} "${name}"; the model has ${known.join(", ")}`, {
    name,
    known,
  });
}

function checkValue(side: string, port: Port, value: Value, lengths: Map<string, number>): void {
  const { name, dtype, shape } = port;
  if (value.dtype !== dtype) {
    fail("TENSOR_DTYPE_MISMATCH", `${side} "${name}" is ${dtype}, got ${value.dtype}`, { name });
  }
  if (!shape) return;
  const fits =
    shape.length === value.shape.length && shape.every((axis, i) => axisFits(axis, value.shape[i]!, lengths));
  if (fits) return;
  const expected = shape.map((axis) =>
    typeof axis === "string" ? nameLength(axis, lengths) : (axis ?? "?"),
  );
  fail(
    "TENSOR_SHAPE_MISMATCH",
    `${side} "${name}" is [${expected.join(", ")}], got [${value.shape.join(", ")}]`,
    { name, expected, got: [...value.shape] },
  );
}

function axisFits(axis: number | string | null, length: number, lengths: Map<string, number>): boolean {
  if (axis === null) return true;
  if (typeof axis === "number") return axis === length;
  const known = lengths.get(axis);
  if (known === undefined) lengths.set(axis, length);
  return known === undefined || known === length;
}

function nameLength(axis: string, lengths: ReadonlyMap<string, number>): string {
  const length = lengths.get(axis);
  return length === undefined ? axis : `${axis} = ${length}`;
}

function fail(code: TensorErrorCode, message: string, details: Readonly<Record<string, unknown>>): never {
  throw new TensorError(code, `run: ${message}`, { details });
}

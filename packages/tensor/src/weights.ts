// Named constants as values on a device: read once per source, converted to the program's dtype, shared by executables.
import { type DType, isFloating } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import { bfloat16ToFloat32, float16ToFloat32 } from "./float16.ts";
import type { WeightReference } from "./onnx/lower.ts";
import { PrepackedWeights } from "./runtime/session.ts";
import { Value } from "./runtime/value.ts";
import { formatShape, type Shape, shapesEqual } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** One weight, not yet read. */
export interface StoredWeight {
  readonly dtype: DType;
  readonly shape: readonly number[];
  read(): Promise<Tensor>;
  /** the blocks of 4 bits that the weight is stored in, where it is: the "int4" policy computes with them as they are */
  readonly blocks?: StoredBlocks;
}

/** A matrix in GGUF's blocks of 32 weights, row after row. */
export interface StoredBlocks {
  readonly format: "q4_0" | "q4_1";
  read(): Promise<Uint8Array>;
}

/** Where named constants come from, such as a checkpoint. Keep one object per checkpoint: values are shared through it. */
export interface WeightSource {
  get(path: string): StoredWeight | undefined;
}

/** Tensors in memory as a source. */
export function weightsFrom(tensors: ReadonlyMap<string, Tensor>): WeightSource {
  return {
    get(path) {
      const tensor = tensors.get(path);
      return tensor && { dtype: tensor.dtype, shape: tensor.shape, read: async () => tensor };
    },
  };
}

interface Shared {
  readonly values: Map<string, Promise<Value>>;
  readonly prepacked: PrepackedWeights;
}

const shared = new WeakMap<WeightSource, Shared>();

/** What all executables over one source have in common. */
export function sharedWeights(source: WeightSource): Shared {
  const known = shared.get(source);
  if (known !== undefined) return known;
  const made: Shared = { values: new Map(), prepacked: new PrepackedWeights() };
  shared.set(source, made);
  return made;
}

/**
 * The values of the weights a program mentions.
 *
 * @throws TensorError `TENSOR_WEIGHT_MISSING` naming all missing paths, `TENSOR_SHAPE_MISMATCH`, `TENSOR_DTYPE_MISMATCH`
 */
export async function resolveWeights(
  references: readonly WeightReference[],
  source: WeightSource,
): Promise<Map<string, Value>> {
  const stored = new Map(references.map(({ path }) => [path, source.get(path)]));
  const missing = references.filter(({ path }) => stored.get(path) === undefined).map(({ path }) => path);
  if (missing.length > 0) {
    throw new TensorError("TENSOR_WEIGHT_MISSING", `weights not found: ${missing.join(", ")}`, {
      details: { missing },
    });
  }
  for (const { path, variable } of references) checkShape(path, variable.shape, stored.get(path)!.shape);
  const { values } = sharedWeights(source);
  const resolved = new Map<string, Value>();
  // One after another: a checkpoint that is converted on reading is then never held twice.
  for (const reference of references) {
    const key = `${reference.path} ${reference.variable.dtype}`;
    const value = values.get(key) ?? readValue(reference, stored.get(reference.path)!);
    values.set(key, value);
    value.catch(() => values.delete(key));
    resolved.set(reference.path, await value);
  }
  return resolved;
}

function checkShape(path: string, expected: Shape, got: readonly number[]): void {
  if (shapesEqual(expected, got)) return;
  throw new TensorError(
    "TENSOR_SHAPE_MISMATCH",
    `weight "${path}": expected ${formatShape(expected)}, got ${formatShape(got)}`,
  );
}

async function readValue({ path, variable }: WeightReference, stored: StoredWeight): Promise<Value> {
  return Value.fromTensor(convert(path, await stored.read(), variable.dtype));
}

const DECODERS: Partial<Record<DType, (data: Uint16Array) => Float32Array>> = {
  float16: float16ToFloat32,
  bfloat16: bfloat16ToFloat32,
};

function convert(path: string, tensor: Tensor, dtype: DType): Tensor {
  if (tensor.dtype === dtype) return tensor;
  if (!isFloating(tensor.dtype) || !isFloating(dtype)) {
    throw new TensorError(
      "TENSOR_DTYPE_MISMATCH",
      `weight "${path}": expected ${dtype}, got ${tensor.dtype}`,
    );
  }
  const decode = DECODERS[tensor.dtype];
  if (decode !== undefined && dtype === "float32") {
    return new Tensor(
      "float32",
      tensor.shape,
      decode(tensor.data as Uint16Array) as Float32Array<ArrayBuffer>,
    );
  }
  return Tensor.fromArray(dtype, tensor.shape, tensor.toNumbers());
}

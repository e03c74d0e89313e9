// `Tensor`, a concrete value on the host: dtype, shape and a typed array. Does no arithmetic and knows no device.
import {
  allocateArray,
  DTYPES,
  type DType,
  isDType,
  isFloating,
  type TypedArray,
  type TypedArrayOf,
} from "./dtype.ts";
import { TensorError } from "./errors.ts";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";

/**
 * A dense host value, row major. The constructor keeps `data` as it is, without a copy.
 *
 * @example
 * const identity = Tensor.fromArray("float32", [2, 2], [1, 0, 0, 1]);
 * identity.toNumbers(); // [1, 0, 0, 1]
 */
export class Tensor<D extends DType = DType> {
  readonly dtype: D;
  /** Length of each axis; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** `elementCount(shape)` elements; float16 and bfloat16 as bit patterns, bool as 0 and 1. */
  readonly data: TypedArrayOf<D>;

  /**
   * @throws TensorError `TENSOR_DTYPE_MISMATCH` when `data` is not the typed array of `dtype`,
   * `TENSOR_SHAPE_MISMATCH` when its length is not the product of `shape`
   */
  constructor(dtype: D, shape: readonly number[], data: TypedArrayOf<D>) {
    checkDType(dtype);
    const expected = elementCount(shape);
    const { arrayType } = DTYPES[dtype];
    if (!(data instanceof arrayType)) {
      const got = (data as object | undefined)?.constructor?.name ?? typeof data;
      throw new TensorError("TENSOR_DTYPE_MISMATCH", `Tensor: ${dtype} needs ${arrayType.name}, got ${got}`, {
        details: { dtype, got },
      });
    }
    if (data.length !== expected) {
      throw new TensorError(
        "TENSOR_SHAPE_MISMATCH",
        `Tensor: shape [${shape.join(", ")}] needs ${expected} elements, data has ${data.length}`,
        { details: { shape: [...shape], expected, got: data.length } },
      );
    }
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.data = data;
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }

  /**
   * A tensor of `numbers`, in row-major order, rounded to nearest when `dtype` is floating
   * (to 16 bits by way of float32).
   *
   * @throws TensorError `TENSOR_INVALID_ARGUMENT` when an integer dtype cannot hold one of the numbers
   */
  static fromArray<D extends DType>(
    dtype: D,
    shape: readonly number[],
    numbers: ArrayLike<number | bigint | boolean>,
  ): Tensor<D> {
    checkDType(dtype);
    return new Tensor(dtype, shape, encode(dtype, numbers) as TypedArrayOf<D>);
  }

  /** A tensor of zeros. */
  static zeros<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
    checkDType(dtype);
    return new Tensor(dtype, shape, allocateArray(dtype, elementCount(shape)));
  }

  /**
   * The elements as numbers: 16-bit floats decoded, int64 converted (exact to ±2⁵³), bool as 0 and 1.
   * A new array; meant for small tensors and tests.
   */
  toNumbers(): number[] {
    const data: TypedArray = this.data;
    if (data instanceof BigInt64Array) return Array.from(data, Number);
    if (this.dtype === "float16") return Array.from(float16ToFloat32(data as Uint16Array));
    if (this.dtype === "bfloat16") return Array.from(bfloat16ToFloat32(data as Uint16Array));
    return Array.from(data);
  }
}

/** A tensor of shape `[]` holding `value`. */
export function scalar<D extends DType = "float32">(
  value: number | bigint | boolean,
  dtype: D = "float32" as D,
): Tensor<D> {
  return Tensor.fromArray(dtype, [], [value]);
}

/**
 * Number of elements of a tensor of `shape`; 1 for `[]`.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when an axis is not a non-negative safe integer
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new TensorError(
        "TENSOR_INVALID_ARGUMENT",
        `shape [${shape.join(", ")}]: every axis must be a non-negative integer, got ${length}`,
        { details: { shape: [...shape] } },
      );
    }
    count *= length;
  }
  if (!Number.isSafeInteger(count)) {
    throw new TensorError("TENSOR_INVALID_ARGUMENT", `shape [${shape.join(", ")}] has too many elements`, {
      details: { shape: [...shape] },
    });
  }
  return count;
}

function checkDType(dtype: DType): void {
  if (isDType(dtype)) return;
  throw new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `unknown dtype ${JSON.stringify(dtype)}; known: ${Object.keys(DTYPES).join(", ")}`,
  );
}

function encode(dtype: DType, numbers: ArrayLike<number | bigint | boolean>): TypedArray {
  if (isFloating(dtype)) {
    if (dtype === "float64") return Float64Array.from(numbers, Number);
    const values = Float32Array.from(numbers, Number);
    if (dtype === "float16") return float32ToFloat16(values);
    return dtype === "bfloat16" ? float32ToBfloat16(values) : values;
  }
  if (dtype === "bool") return Uint8Array.from(numbers, (value) => (value ? 1 : 0));
  const out = allocateArray(dtype, numbers.length);
  for (let i = 0; i < numbers.length; i++) storeInteger(dtype, out, i, numbers[i]!);
  return out;
}

function storeInteger(dtype: DType, out: TypedArray, index: number, value: number | bigint | boolean): void {
  const number = Number(value);
  if (Number.isInteger(number)) {
    if (out instanceof BigInt64Array) out[index] = BigInt(value);
    else out[index] = number;
    // Typed arrays wrap what does not fit: reading back shows it.
    if (Number(out[index]) === number) return;
  }
  throw new TensorError("TENSOR_INVALID_ARGUMENT", `Tensor.fromArray: ${value} is not an ${dtype}`, {
    details: { dtype, index },
  });
}

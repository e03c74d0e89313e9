// Element types: names, byte widths, typed-array classes and ONNX numbers. Knows no shapes and does no arithmetic.

/** Typed array that holds the elements of each dtype on the host; 16-bit floats are held as their bit patterns. */
export interface TypedArrayByDType {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  bool: Uint8Array;
}

/** Name of an element type. */
export type DType = keyof TypedArrayByDType;

/** Typed array of the elements of `D`. */
export type TypedArrayOf<D extends DType> = TypedArrayByDType[D];

/** Any typed array that can hold a tensor. */
export type TypedArray = TypedArrayOf<DType>;

/** The dtypes that hold floating-point numbers. */
export type FloatDType = "float32" | "float64" | "float16" | "bfloat16";

/** The dtypes that hold integers. */
export type IntegerDType = "int8" | "uint8" | "int16" | "int32" | "int64";

/** Class of a typed array, able to allocate one or to view part of a buffer. */
export interface TypedArrayConstructor<A extends TypedArray> {
  new (length: number): A;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): A;
  readonly name: string;
}

/** What is known of one dtype. */
export interface DTypeInfo<D extends DType = DType> {
  readonly kind: "float" | "integer" | "bool";
  /** Bytes of one element. */
  readonly byteWidth: number;
  /** Class of the typed array that holds it. */
  readonly arrayType: TypedArrayConstructor<TypedArrayOf<D>>;
  /** Number of the type in ONNX's `TensorProto.DataType` (and in ONNX Runtime's C API). */
  readonly onnxType: number;
}

/**
 * The table of dtypes.
 *
 * @see ONNX `TensorProto.DataType` for the numbers
 */
export const DTYPES: { readonly [D in DType]: DTypeInfo<D> } = {
  float32: { kind: "float", byteWidth: 4, arrayType: Float32Array, onnxType: 1 },
  float64: { kind: "float", byteWidth: 8, arrayType: Float64Array, onnxType: 11 },
  float16: { kind: "float", byteWidth: 2, arrayType: Uint16Array, onnxType: 10 },
  bfloat16: { kind: "float", byteWidth: 2, arrayType: Uint16Array, onnxType: 16 },
  int8: { kind: "integer", byteWidth: 1, arrayType: Int8Array, onnxType: 3 },
  uint8: { kind: "integer", byteWidth: 1, arrayType: Uint8Array, onnxType: 2 },
  int16: { kind: "integer", byteWidth: 2, arrayType: Int16Array, onnxType: 5 },
  int32: { kind: "integer", byteWidth: 4, arrayType: Int32Array, onnxType: 6 },
  int64: { kind: "integer", byteWidth: 8, arrayType: BigInt64Array, onnxType: 7 },
  bool: { kind: "bool", byteWidth: 1, arrayType: Uint8Array, onnxType: 9 },
};

const BY_ONNX_TYPE = new Map(
  (Object.keys(DTYPES) as DType[]).map((dtype) => [DTYPES[dtype].onnxType, dtype] as const),
);

/** True when `value` names a dtype. */
export function isDType(value: unknown): value is DType {
  return typeof value === "string" && Object.hasOwn(DTYPES, value);
}

/** True for the floating-point dtypes. */
export function isFloating(dtype: DType): dtype is FloatDType {
  return DTYPES[dtype].kind === "float";
}

/** True for the integer dtypes; `bool` is not one of them. */
export function isInteger(dtype: DType): dtype is IntegerDType {
  return DTYPES[dtype].kind === "integer";
}

/** The dtype with ONNX element type `onnxType`, or undefined when this package has no dtype for it. */
export function dtypeFromOnnx(onnxType: number): DType | undefined {
  return BY_ONNX_TYPE.get(onnxType);
}

/** A new zero-filled typed array of `length` elements of `dtype`. */
export function allocateArray<D extends DType>(dtype: D, length: number): TypedArrayOf<D> {
  return new (DTYPES[dtype].arrayType as TypedArrayConstructor<TypedArrayOf<D>>)(length);
}

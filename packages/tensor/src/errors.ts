// The package's one error class and its closed set of codes; nothing else.

/** Every code a `TensorError` can carry, the package's contract with its callers. */
export const TENSOR_ERROR_CODES = [
  "TENSOR_SHAPE_MISMATCH",
  "TENSOR_DTYPE_MISMATCH",
  "TENSOR_INVALID_ARGUMENT",
  "TENSOR_TRACE_MISUSE",
  "TENSOR_NOT_DIFFERENTIABLE",
  "TENSOR_WEIGHT_MISSING",
  "TENSOR_VALUE_DISPOSED",
  "TENSOR_LIBRARY_MISSING",
  "TENSOR_LIBRARY_INCOMPATIBLE",
  "TENSOR_DEVICE_UNKNOWN",
  "TENSOR_DEVICE_UNAVAILABLE",
  "TENSOR_OUT_OF_MEMORY",
  "TENSOR_RUNTIME",
  "TENSOR_CANCELLED",
  "TENSOR_INTERNAL",
] as const;

/** What went wrong, as a stable string to switch on. */
export type TensorErrorCode = (typeof TENSOR_ERROR_CODES)[number];

/** Optional parts of a `TensorError`. */
export interface TensorErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** Facts about the failure for programs to read: names, shapes, dtypes, paths. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Any failure of this package. Switch on `code`, which is stable across versions; read `message`, which is not.
 *
 * `TENSOR_INTERNAL` is a defect of this package, every other code a condition the caller can act on.
 */
export class TensorError extends Error {
  override readonly name = "TensorError";
  readonly code: TensorErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: TensorErrorCode, message: string, options: TensorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

// The error class of this package and the closed list of its codes; nothing else.

/** Every code a `DataError` can carry. The README explains each; a test holds the two equal. */
export const DATA_ERROR_CODES = [
  "DATA_FILE_UNREADABLE",
  "DATA_FILE_TRUNCATED",
  "DATA_FORMAT_UNKNOWN",
  "DATA_JSON_MALFORMED",
  "DATA_PARQUET_MALFORMED",
  "DATA_RECORD_MALFORMED",
  "DATA_OPTION_INVALID",
  "DATA_INDEX_OUT_OF_RANGE",
  "DATA_TOKEN_OUT_OF_RANGE",
  "DATA_CACHE_MISSING",
  "DATA_CACHE_CORRUPT",
  "DATA_CACHE_MISMATCH",
  "DATA_CACHE_BUSY",
  "DATA_STATE_MISMATCH",
] as const;

/** One of the codes of `DataError`; the contract, also across versions. */
export type DataErrorCode = (typeof DATA_ERROR_CODES)[number];

/** Where an error happened, as far as it is known. */
export interface DataErrorDetails {
  /** File or folder concerned. */
  readonly path?: string;
  /** 0-based record, row or sample number. */
  readonly index?: number;
  /** 1-based line number in a text file. */
  readonly line?: number;
  /** Byte offset from the start of the (decompressed) file. */
  readonly byteOffset?: number;
  readonly cause?: unknown;
}

/** Any failure of this package: a stable `code`, the place it happened, and a message that says what to do. */
export class DataError extends Error {
  override readonly name = "DataError";
  readonly code: DataErrorCode;
  readonly path: string | undefined;
  readonly index: number | undefined;
  readonly line: number | undefined;
  readonly byteOffset: number | undefined;

  constructor(code: DataErrorCode, message: string, details: DataErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.path = details.path;
    this.index = details.index;
    this.line = details.line;
    this.byteOffset = details.byteOffset;
  }
}

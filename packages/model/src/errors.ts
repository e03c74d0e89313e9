// The package's one error class and its closed set of codes; nothing else.

/** Every code a `ModelError` can carry, the package's contract with its callers. */
export const MODEL_ERROR_CODES = [
  "MODEL_FILE_UNREADABLE",
  "MODEL_CONFIG_INVALID",
  "MODEL_UNSUPPORTED",
  "MODEL_SAFETENSORS_INVALID",
  "MODEL_GGUF_INVALID",
  "MODEL_CHECKPOINT_MISMATCH",
  "MODEL_TOKENIZER_INVALID",
  "MODEL_CHAT_INVALID",
  "MODEL_INVALID_ARGUMENT",
  "MODEL_SCHEMA_UNSUPPORTED",
  "MODEL_LOGITS_NOT_FINITE",
  "MODEL_OVERLOADED",
  "MODEL_DISPOSED",
  "MODEL_NOT_FOUND",
  "MODEL_FETCH_REFUSED",
  "MODEL_FETCH_FAILED",
  "MODEL_FETCH_CORRUPT",
  "MODEL_OFFLINE",
  "MODEL_DISK_FULL",
] as const;

/** What went wrong, as a stable string to switch on. */
export type ModelErrorCode = (typeof MODEL_ERROR_CODES)[number];

/** Optional parts of a `ModelError`. */
export interface ModelErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** Facts about the failure for programs to read: paths, names, shapes. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Any failure of this package. Switch on `code`, which is stable across versions; read `message`, which is not. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly code: ModelErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ModelErrorCode, message: string, options: ModelErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

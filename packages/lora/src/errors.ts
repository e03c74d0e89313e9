// The error class of this package and its codes.

/** Every code a `LoraError` can carry. */
export const LORA_ERROR_CODES = [
  "LORA_TARGET_UNMATCHED",
  "LORA_CONFIG_INVALID",
  "LORA_UNSUPPORTED",
  "LORA_ADAPTER_INVALID",
  "LORA_SHAPE_MISMATCH",
] as const;

/** The code of a `LoraError`: the contract for callers. */
export type LoraErrorCode = (typeof LORA_ERROR_CODES)[number];

/** An error of this package; the message says where, what was expected, what was found and what to do. */
export class LoraError extends Error {
  override readonly name = "LoraError";
  readonly code: LoraErrorCode;

  constructor(code: LoraErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

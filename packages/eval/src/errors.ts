// The error of this package: its codes and its class, nothing else.

/** Every code an {@link EvalError} can carry; the README has one row for each. */
export const EVAL_ERROR_CODES = [
  "EVAL_FILE_MISSING",
  "EVAL_FILE_MALFORMED",
  "EVAL_OPTION_INVALID",
  "EVAL_MODEL_BROKEN",
  "EVAL_RESULT_UNREADABLE",
  "EVAL_SANDBOX_UNAVAILABLE",
  "EVAL_SANDBOX_UNSAFE",
  "EVAL_SANDBOX_DISPOSED",
] as const;

export type EvalErrorCode = (typeof EVAL_ERROR_CODES)[number];

/** Where an error arose and what was wrong there; every field is optional and quoted in the message. */
export interface EvalErrorDetails {
  readonly file?: string;
  /** One-based line, row or record in `file`. */
  readonly record?: number;
  readonly expected?: string;
  readonly got?: string;
  readonly cause?: unknown;
}

/** What every function of this package throws; `code` is the contract, the message is for people. */
export class EvalError extends Error {
  override readonly name = "EvalError";
  readonly code: EvalErrorCode;
  readonly file: string | undefined;
  readonly record: number | undefined;
  readonly expected: string | undefined;
  readonly got: string | undefined;

  constructor(code: EvalErrorCode, message: string, details: EvalErrorDetails = {}) {
    super(describe(message, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.file = details.file;
    this.record = details.record;
    this.expected = details.expected;
    this.got = details.got;
  }
}

function describe(message: string, { file, record, expected, got }: EvalErrorDetails): string {
  const place = file === undefined ? "" : `${file}${record === undefined ? "" : `:${record}`}: `;
  const contrast = [
    expected === undefined ? "" : `; expected ${expected}`,
    got === undefined ? "" : `; got ${got}`,
  ];
  return `${place}${message}${contrast.join("")}`;
}

/** `value` as it is quoted in an error message: at most 80 characters. */
export function quote(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

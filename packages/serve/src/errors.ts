// The one error class of this package and its codes; how a code becomes an HTTP answer is in openai-error.ts.

/** Every code a `ServeError` can carry, as documented in the README. */
export const SERVE_ERROR_CODES = [
  "SERVE_REQUEST_INVALID",
  "SERVE_PARAMETER_UNSUPPORTED",
  "SERVE_CONTEXT_TOO_LONG",
  "SERVE_API_KEY_INVALID",
  "SERVE_MODEL_UNKNOWN",
  "SERVE_ROUTE_UNKNOWN",
  "SERVE_BODY_TOO_LARGE",
  "SERVE_MEDIA_TYPE_UNSUPPORTED",
  "SERVE_OVERLOADED",
  "SERVE_SHUTTING_DOWN",
  "SERVE_CLIENT_DISCONNECTED",
  "SERVE_GENERATION_FAILED",
  "SERVE_OPTIONS_INVALID",
  "SERVE_LISTEN_FAILED",
  "SERVE_INTERNAL",
] as const;

/** What went wrong, as a stable string. */
export type ServeErrorCode = (typeof SERVE_ERROR_CODES)[number];

/** What an error may carry besides its code and message. */
export interface ServeErrorDetails {
  /** The request field at fault, in the API's own spelling, for example `messages.0.content`. */
  readonly param?: string;
  /** When the client may try again. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** Anything this package rejects or fails at. Its message never quotes a prompt or a key. */
export class ServeError extends Error {
  override readonly name = "ServeError";
  readonly code: ServeErrorCode;
  readonly param: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ServeErrorCode, message: string, details: ServeErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.param = details.param;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

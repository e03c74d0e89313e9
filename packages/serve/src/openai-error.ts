// From any thrown value to OpenAI's error envelope and HTTP status; the only file that knows both vocabularies.
import type { FastifyError } from "fastify";
import { ServeError, type ServeErrorCode } from "./errors.ts";

interface HttpError {
  readonly status: number;
  readonly type: string;
  readonly code: string;
}

const INVALID = "invalid_request_error";

/** Status, `type` and `code` for each of our codes, after OpenAI's own where it has one. */
const HTTP_ERRORS: Record<ServeErrorCode, HttpError> = {
  SERVE_REQUEST_INVALID: { status: 400, type: INVALID, code: "invalid_value" },
  SERVE_PARAMETER_UNSUPPORTED: { status: 400, type: INVALID, code: "unsupported_parameter" },
  SERVE_CONTEXT_TOO_LONG: { status: 400, type: INVALID, code: "context_length_exceeded" },
  SERVE_API_KEY_INVALID: { status: 401, type: INVALID, code: "invalid_api_key" },
  SERVE_MODEL_UNKNOWN: { status: 404, type: INVALID, code: "model_not_found" },
  SERVE_ROUTE_UNKNOWN: { status: 404, type: INVALID, code: "unknown_url" },
  SERVE_BODY_TOO_LARGE: { status: 413, type: INVALID, code: "request_too_large" },
  SERVE_MEDIA_TYPE_UNSUPPORTED: { status: 415, type: INVALID, code: "unsupported_media_type" },
  SERVE_OVERLOADED: { status: 429, type: "rate_limit_error", code: "rate_limit_exceeded" },
  // 499 is nginx's status for a client that went away; only the log ever sees it.
  SERVE_CLIENT_DISCONNECTED: { status: 499, type: INVALID, code: "client_disconnected" },
  SERVE_GENERATION_FAILED: { status: 500, type: "server_error", code: "generation_failed" },
  SERVE_OPTIONS_INVALID: { status: 500, type: "server_error", code: "internal_error" },
  SERVE_LISTEN_FAILED: { status: 500, type: "server_error", code: "internal_error" },
  SERVE_INTERNAL: { status: 500, type: "server_error", code: "internal_error" },
  SERVE_SHUTTING_DOWN: { status: 503, type: "server_error", code: "service_unavailable" },
};

/** Fastify's own rejections in our vocabulary. */
const FASTIFY_ERRORS: Readonly<Record<string, readonly [ServeErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [
    "SERVE_BODY_TOO_LARGE",
    "The request body is larger than this server accepts.",
  ],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    "SERVE_MEDIA_TYPE_UNSUPPORTED",
    "The request body must be JSON; send the header Content-Type: application/json.",
  ],
  FST_ERR_CTP_INVALID_JSON_BODY: ["SERVE_REQUEST_INVALID", "The request body is not valid JSON."],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["SERVE_REQUEST_INVALID", "The request body is empty; send a JSON object."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    "SERVE_REQUEST_INVALID",
    "The request body does not have the length its Content-Length header states.",
  ],
  FST_ERR_BAD_URL: ["SERVE_REQUEST_INVALID", "The request URL is malformed."],
};

/** OpenAI's error body. */
export interface ErrorEnvelope {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

/** The same error in our vocabulary; what is not known becomes `SERVE_INTERNAL`, keeping its cause. */
export function toServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const { code = "", validation } = (error ?? {}) as Partial<FastifyError>;
  if (validation !== undefined) return fromValidation(validation, error);
  const known = FASTIFY_ERRORS[code];
  if (known !== undefined) return new ServeError(known[0], known[1], { cause: error });
  return new ServeError("SERVE_INTERNAL", "The server failed to process the request.", { cause: error });
}

/** HTTP status of an error. */
export function statusOf(error: ServeError): number {
  return HTTP_ERRORS[error.code].status;
}

/** Response body of an error; causes and stacks stay inside. */
export function toErrorEnvelope(error: ServeError): ErrorEnvelope {
  const { type, code } = HTTP_ERRORS[error.code];
  return { error: { message: error.message, type, param: error.param ?? null, code } };
}

type Validation = NonNullable<FastifyError["validation"]>;

function fromValidation(validation: Validation, cause: unknown): ServeError {
  // A union reports every branch and then itself; the deepest entry is the closest to what the client meant.
  const depth = (entry: Validation[number]) => entry.instancePath.split("/").length;
  const entry = validation.reduce((best, candidate) => (depth(candidate) >= depth(best) ? candidate : best));
  const member = entry.params.missingProperty ?? entry.params.additionalProperty;
  const param = [...entry.instancePath.split("/").slice(1), ...(member === undefined ? [] : [member])].join(
    ".",
  );
  const message = `${param || "The request body"} ${describeProblem(entry, validation)}.`;
  return new ServeError("SERVE_REQUEST_INVALID", message, { cause, ...(param && { param }) });
}

function describeProblem(entry: Validation[number], all: Validation): string {
  const { keyword, params, message = "is invalid", instancePath } = entry;
  if (keyword === "required") return "is required";
  if (keyword === "additionalProperties") return "is not a parameter of this endpoint";
  if (keyword === "enum") return `must be one of ${JSON.stringify(params.allowedValues).slice(1, -1)}`;
  if (keyword !== "anyOf") return message;
  const branches = all.filter((other) => other !== entry && other.instancePath === instancePath);
  return branches.map((branch) => branch.message).join(" or ");
}

// What the log may hold: method, path, status, codes and stack frames; never a prompt, a header or a foreign message.
import type { FastifyServerOptions } from "fastify";
import { ServeError } from "./errors.ts";

/** `false` logs nothing; `true` logs JSON lines at level `info` to standard output. */
export type LoggerOptions =
  | boolean
  | { readonly level?: string; readonly stream?: { write(line: string): void } };

// A type and not an interface: fastify asks for an index signature, which only a type has implicitly.
type LoggedError = { type: string; code?: string; message: string; stack: string; cause?: LoggedError };

/** Fastify's logger option with serializers that let no request content through. */
export function toFastifyLogger(options: LoggerOptions): NonNullable<FastifyServerOptions["logger"]> {
  if (options === false) return false;
  return {
    ...(options === true ? {} : options),
    serializers: {
      req: ({ method, url }) => ({ method, url: url.split("?")[0]! }),
      res: ({ statusCode }) => ({ statusCode }),
      err: serializeError,
    },
  };
}

/** An error for the log. The message of an error that is not ours is left out: it might quote its input. */
function serializeError(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: "", stack: "" };
  const { code } = error as { code?: unknown };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^ {4}at /.test(line));
  return {
    type: error.name,
    message: error instanceof ServeError ? error.message : "",
    stack: frames.join("\n"),
    ...(typeof code === "string" && { code }),
    ...(error.cause !== undefined && { cause: serializeError(error.cause) }),
  };
}

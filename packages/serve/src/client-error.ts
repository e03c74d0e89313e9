// Answers bytes that never became a request: malformed HTTP, oversized headers, a request that does not arrive.
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { ServeError } from "./errors.ts";
import { toErrorEnvelope } from "./openai-error.ts";

const PROBLEMS: Readonly<Record<string, readonly [status: number, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request did not arrive in time."],
  HPE_HEADER_OVERFLOW: [431, "The request's headers are too large."],
};

/** Writes the envelope straight to the socket, since there is no response to write it to. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, message] = PROBLEMS[error.code ?? ""] ?? [400, "The request is not valid HTTP."];
  const body = JSON.stringify(toErrorEnvelope(new ServeError("SERVE_REQUEST_INVALID", message)));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

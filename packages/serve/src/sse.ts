// Server-sent events as OpenAI frames them; the stream is pulled by the socket, so a slow reader slows the generator.
import { Readable } from "node:stream";
import type { FastifyBaseLogger, FastifyReply } from "fastify";
import { statusOf, toErrorEnvelope, toServeError } from "./openai-error.ts";

/** The event that ends a complete stream; a failed one ends without it. */
const DONE_EVENT = "data: [DONE]\n\n";

/** One event carrying a JSON value. */
function formatEvent(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/**
 * Answers with a stream of chunks. The first chunk is awaited before anything is sent, so a failure before it still
 * has its HTTP status; a later one is an event with an `error` field, after which the stream ends.
 */
export async function sendEvents(
  reply: FastifyReply,
  chunks: AsyncGenerator<unknown, void, undefined>,
): Promise<FastifyReply> {
  const first = await chunks.next();
  const stream = Readable.from(formatEvents(first, chunks, reply.log));
  // A stream destroyed before its first read never starts its generator, whose own cleanup then cannot run.
  stream.once("close", () => {
    chunks.return().catch((error: unknown) => reply.log.warn({ err: toServeError(error) }, "cleanup failed"));
  });
  return reply
    .header("content-type", "text/event-stream; charset=utf-8")
    .header("cache-control", "no-cache, no-transform")
    .header("x-accel-buffering", "no")
    .send(stream);
}

async function* formatEvents(
  first: IteratorResult<unknown, void>,
  chunks: AsyncGenerator<unknown, void, undefined>,
  log: FastifyBaseLogger,
): AsyncGenerator<string, void, undefined> {
  try {
    for (let result = first; !result.done; result = await chunks.next()) yield formatEvent(result.value);
    yield DONE_EVENT;
  } catch (thrown) {
    const error = toServeError(thrown);
    log[statusOf(error) >= 500 ? "error" : "info"]({ err: error }, "stream failed");
    yield formatEvent(toErrorEnvelope(error));
  }
}

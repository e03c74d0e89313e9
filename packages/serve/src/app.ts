// Builds the whole server as a value: limits, errors and what is registered. Listening is in listen.ts.
import { setMaxListeners } from "node:events";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { answerClientError } from "./client-error.ts";
import { drainOnClose } from "./drain.ts";
import { ServeError } from "./errors.ts";
import type { ServeContext } from "./generation.ts";
import { type LoggerOptions, toFastifyLogger } from "./logging.ts";
import { statusOf, toErrorEnvelope, toServeError } from "./openai-error.ts";
import { AdmissionQueue } from "./queue.ts";
import { healthRoute } from "./routes/health.ts";
import { v1Routes } from "./routes/v1.ts";
import type { TextGenerator } from "./text-generator.ts";

/** Options of `buildApp()`; only the generator is required. */
export interface AppOptions {
  readonly generator: TextGenerator;
  /** Keys that may use `/v1`; without any, everyone may. Default: none. */
  readonly apiKeys?: readonly string[];
  /** Requests generating at once. Default: 8. */
  readonly maxConcurrent?: number;
  /** Requests waiting for a place; the next one is refused with 429. Default: 64. */
  readonly maxQueued?: number;
  /** The `Retry-After` of a refusal. Default: 5. */
  readonly retryAfterSeconds?: number;
  /** Largest request body. Default: 4 MiB. */
  readonly bodyLimitBytes?: number;
  /** How long `close()` lets running generations go on before it aborts them. Default: 30,000. */
  readonly drainTimeoutMs?: number;
  /** Default: `false`. No prompt, answer or key is logged at any level. */
  readonly logger?: LoggerOptions;
}

/** A client has this long to send a whole request; generating may take longer. */
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * A ready fastify instance that does not listen: use `listen()`, `app.inject()`, or mount it elsewhere.
 * Its `close()` answers new requests with 503, lets running ones finish, and aborts them after `drainTimeoutMs`.
 *
 * @throws ServeError `SERVE_OPTIONS_INVALID`
 */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { generator, apiKeys = [], maxConcurrent = 8, maxQueued = 64, retryAfterSeconds = 5 } = options;
  const { bodyLimitBytes = 4 * 1024 * 1024, drainTimeoutMs = 30_000, logger = false } = options;
  requireInteger({ maxConcurrent, bodyLimitBytes }, 1);
  requireInteger({ maxQueued, retryAfterSeconds, drainTimeoutMs }, 0);
  requireKeys(apiKeys);

  const queue = new AdmissionQueue({ maxConcurrent, maxQueued, retryAfterSeconds });
  const shutdown = new AbortController();
  // Every request in flight listens to it.
  setMaxListeners(0, shutdown.signal);
  const context: ServeContext = { generator, queue, shutdownSignal: shutdown.signal };

  const app = createServer({ bodyLimitBytes, logger });
  drainOnClose(app, { queue, shutdown, drainTimeoutMs });
  app.register(healthRoute, context);
  app.register(v1Routes, { prefix: "/v1", context, apiKeys });
  await app.ready();
  return app;
}

/** A fastify instance without routes, whose every failure answers with the error envelope. */
function createServer({ bodyLimitBytes, logger }: { bodyLimitBytes: number; logger: LoggerOptions }) {
  const app: FastifyInstance = fastify({
    logger: toFastifyLogger(logger),
    bodyLimit: bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // While the app drains, its own hook refuses with the right envelope; whatever is open after that is cut.
    return503OnClosing: false,
    forceCloseConnections: true,
    // Fastify applies this limit to the hook that drains, which has its own.
    pluginTimeout: 0,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => void sendError(error, reply),
  });
  // Without this parser a web page of another origin cannot post to a local server: JSON needs its permission.
  app.removeContentTypeParser("text/plain");
  app.setErrorHandler((error, _request, reply) => sendError(error, reply));
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${request.url.split("?")[0]} here.`;
    return sendError(new ServeError("SERVE_ROUTE_UNKNOWN", message), reply);
  });
  return app;
}

function sendError(thrown: unknown, reply: FastifyReply): FastifyReply {
  const error = toServeError(thrown);
  const status = statusOf(error);
  reply.log[status >= 500 ? "error" : "info"]({ err: error }, "request failed");
  if (error.retryAfterSeconds !== undefined) reply.header("retry-after", error.retryAfterSeconds);
  if (status === 401) reply.header("www-authenticate", "Bearer");
  return reply.code(status).send(toErrorEnvelope(error));
}

function requireInteger(values: Readonly<Record<string, number>>, minimum: number): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isSafeInteger(value) && value >= minimum) continue;
    throw new ServeError(
      "SERVE_OPTIONS_INVALID",
      `${name} must be an integer of at least ${minimum}, got ${value}.`,
    );
  }
}

function requireKeys(apiKeys: readonly string[]): void {
  if (apiKeys.every((key) => /^\S+$/.test(key))) return;
  throw new ServeError(
    "SERVE_OPTIONS_INVALID",
    "apiKeys: a key must be at least one character, without spaces.",
  );
}

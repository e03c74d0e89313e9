// Builds the whole server as a value: routes, limits, errors and draining. Listening is in listen.ts.
import { setMaxListeners } from "node:events";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { createApiKeyCheck } from "./api-key.ts";
import { answerClientError } from "./client-error.ts";
import { ServeError } from "./errors.ts";
import type { ServeContext } from "./generation.ts";
import { InFlight } from "./in-flight.ts";
import { type LoggerOptions, toFastifyLogger } from "./logging.ts";
import { statusOf, toErrorEnvelope, toServeError } from "./openai-error.ts";
import { AdmissionQueue, shuttingDown } from "./queue.ts";
import { chatCompletionRoute } from "./routes/chat-completions.ts";
import { completionRoute } from "./routes/completions.ts";
import { healthRoute } from "./routes/health.ts";
import { modelRoutes } from "./routes/models.ts";
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

/** Aborted generations have this long to tell their clients before the connections are cut. */
const ABORT_GRACE_MS = 1000;

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

  const app = fastify({
    logger: toFastifyLogger(logger),
    bodyLimit: bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // While we drain, our own hook refuses with the right envelope; whatever is open after that is cut.
    return503OnClosing: false,
    // Fastify applies this limit to the hook that drains, which has its own.
    pluginTimeout: 0,
    forceCloseConnections: true,
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
  const inFlight = new InFlight();
  app.addHook("onRequest", async (_request, reply) => inFlight.add(reply.raw));
  app.addHook("preClose", async () => {
    queue.close();
    if (await inFlight.settle(drainTimeoutMs)) return;
    shutdown.abort(shuttingDown());
    await inFlight.settle(ABORT_GRACE_MS);
  });

  app.register(healthRoute, context);
  app.register(
    async (v1) => {
      v1.addHook("onRequest", async () => {
        if (queue.isClosed) throw shuttingDown();
      });
      if (apiKeys.length > 0) {
        const checkApiKey = createApiKeyCheck(apiKeys);
        v1.addHook("onRequest", async (request) => checkApiKey(request.headers.authorization));
      }
      v1.register(modelRoutes, context);
      v1.register(completionRoute, context);
      v1.register(chatCompletionRoute, context);
    },
    { prefix: "/v1" },
  );
  await app.ready();
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

// Everything below /v1: the gate of API keys and draining, then the routes.
import type { FastifyPluginCallback } from "fastify";
import { createApiKeyCheck } from "../api-key.ts";
import type { ServeContext } from "../generation.ts";
import { shuttingDown } from "../queue.ts";
import { chatCompletionRoute } from "./chat-completions.ts";
import { completionRoute } from "./completions.ts";
import { modelRoutes } from "./models.ts";

/** The API's routes for those who hold one of the keys, or for everyone when there are none. */
export const v1Routes: FastifyPluginCallback<{ context: ServeContext; apiKeys: readonly string[] }> = (
  app,
  { context, apiKeys },
  done,
) => {
  const checkApiKey = apiKeys.length > 0 ? createApiKeyCheck(apiKeys) : undefined;
  app.addHook("onRequest", async (request) => {
    if (context.queue.isClosed) throw shuttingDown();
    checkApiKey?.(request.headers.authorization);
  });
  app.register(modelRoutes, context);
  app.register(completionRoute, context);
  app.register(chatCompletionRoute, context);
  done();
};

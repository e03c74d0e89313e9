// GET /health: whether requests are taken, and how busy the server is; needs no API key.
import type { FastifyPluginCallback } from "fastify";
import type { ServeContext } from "../generation.ts";
import { healthSchema } from "../schemas.ts";

/** Answers 200 while requests are admitted and 503 while the server drains. */
export const healthRoute: FastifyPluginCallback<ServeContext> = (app, { queue }, done) => {
  const schema = { description: "Readiness and load.", response: { 200: healthSchema, 503: healthSchema } };
  app.get("/health", { schema }, (_request, reply) => {
    const { isClosed, running, waiting } = queue;
    reply.code(isClosed ? 503 : 200).send({ status: isClosed ? "draining" : "ok", running, waiting });
  });
  done();
};

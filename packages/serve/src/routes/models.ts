// GET /v1/models and /v1/models/:id.
import type { FastifyPluginCallback } from "fastify";
import { findModel, type ServeContext } from "../generation.ts";
import { errorSchema, modelListSchema, modelSchema } from "../schemas.ts";
import type { ServedModel } from "../text-generator.ts";

/** Lists the generator's models in OpenAI's form. */
export const modelRoutes: FastifyPluginCallback<ServeContext> = (app, { generator }, done) => {
  const listSchema = { description: "All models.", response: { 200: modelListSchema, default: errorSchema } };
  app.get("/models", { schema: listSchema }, () => ({ object: "list", data: generator.models.map(toModel) }));

  const schema = { description: "One model.", response: { 200: modelSchema, default: errorSchema } };
  app.get<{ Params: { id: string } }>("/models/:id", { schema }, (request) =>
    toModel(findModel(generator, request.params.id)),
  );
  done();
};

function toModel({ id, createdAtSeconds, ownedBy, maxContextTokens }: ServedModel) {
  return {
    id,
    object: "model",
    created: createdAtSeconds,
    owned_by: ownedBy,
    max_model_len: maxContextTokens,
  };
}

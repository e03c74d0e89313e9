// POST /v1/completions.
import type { FastifyPluginCallback } from "fastify";
import { collectText, findModel, fitMaxTokens, generateText, type ServeContext } from "../generation.ts";
import { createRequestSignal } from "../request-signal.ts";
import { type CompletionRequest, rejectUnsupported, toGenerationOptions, toPrompt } from "../requests.ts";
import { completionRequestSchema, completionSchema, errorSchema } from "../schemas.ts";
import { sendEvents } from "../sse.ts";
import { type ChunkChoices, createHead, toChunks, toUsage } from "./answer.ts";

/** OpenAI's default for this endpoint. */
const DEFAULT_MAX_TOKENS = 16;

const choices: ChunkChoices = {
  text: (text) => ({ text, finish_reason: null }),
  finish: (reason) => ({ text: "", finish_reason: reason }),
};

/** Continues the prompt as it stands, without a template. */
export const completionRoute: FastifyPluginCallback<ServeContext> = (app, context, done) => {
  const schema = {
    description: "Continue a text.",
    body: completionRequestSchema,
    response: { 200: completionSchema, default: errorSchema },
  };
  app.post<{ Body: CompletionRequest }>("/completions", { schema }, async ({ body }, reply) => {
    const signal = createRequestSignal(reply.raw, context.shutdownSignal);
    const events = generateText(context, { ...prepare(context, body), signal });
    const head = createHead({ prefix: "cmpl", object: "text_completion", model: body.model });
    if (body.stream) {
      const includeUsage = body.stream_options?.include_usage ?? false;
      return sendEvents(reply, toChunks(events, { head, choices, includeUsage }));
    }
    const { text, finish } = await collectText(events);
    return {
      ...head,
      choices: [{ index: 0, text, logprobs: null, finish_reason: finish.finishReason }],
      usage: toUsage(finish),
    };
  });
  done();
};

function prepare({ generator }: ServeContext, body: CompletionRequest) {
  rejectUnsupported(body);
  const model = findModel(generator, body.model);
  const prompt = toPrompt(body.prompt);
  const maxTokens = fitMaxTokens(model, {
    promptTokens: generator.countTokens({ model: model.id, prompt }),
    requested: body.max_tokens ?? DEFAULT_MAX_TOKENS,
    param: "prompt",
  });
  return { model: model.id, prompt, options: { ...toGenerationOptions(body, model), maxTokens } };
}

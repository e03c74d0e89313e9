// POST /v1/chat/completions.
import type { FastifyPluginCallback } from "fastify";
import { collectText, findModel, fitMaxTokens, generateText, type ServeContext } from "../generation.ts";
import { createRequestSignal } from "../request-signal.ts";
import {
  type ChatCompletionRequest,
  rejectUnsupported,
  toChatMessages,
  toGenerationOptions,
} from "../requests.ts";
import { chatCompletionRequestSchema, chatCompletionSchema, errorSchema } from "../schemas.ts";
import { sendEvents } from "../sse.ts";
import { type ChunkChoices, createHead, toChunks, toUsage } from "./answer.ts";

const choices: ChunkChoices = {
  opening: () => ({ delta: { role: "assistant", content: "" }, finish_reason: null }),
  text: (text) => ({ delta: { content: text }, finish_reason: null }),
  finish: (reason) => ({ delta: {}, finish_reason: reason }),
};

/** Formats the conversation with the generator's template and answers with the assistant's next turn. */
export const chatCompletionRoute: FastifyPluginCallback<ServeContext> = (app, context, done) => {
  const schema = {
    description: "Continue a conversation.",
    body: chatCompletionRequestSchema,
    response: { 200: chatCompletionSchema, default: errorSchema },
  };
  app.post<{ Body: ChatCompletionRequest }>("/chat/completions", { schema }, async ({ body }, reply) => {
    const signal = createRequestSignal(reply.raw, context.shutdownSignal);
    const events = generateText(context, { ...prepare(context, body), signal });
    const { model } = body;
    if (body.stream) {
      const head = createHead({ prefix: "chatcmpl", object: "chat.completion.chunk", model });
      const includeUsage = body.stream_options?.include_usage ?? false;
      return sendEvents(reply, toChunks(events, { head, choices, includeUsage }));
    }
    const { text, finish } = await collectText(events);
    const message = { role: "assistant", content: text, refusal: null };
    return {
      ...createHead({ prefix: "chatcmpl", object: "chat.completion", model }),
      choices: [{ index: 0, message, logprobs: null, finish_reason: finish.finishReason }],
      usage: toUsage(finish),
    };
  });
  done();
};

function prepare({ generator }: ServeContext, body: ChatCompletionRequest) {
  rejectUnsupported(body);
  const model = findModel(generator, body.model);
  const prompt = generator.formatChat({ model: model.id, messages: toChatMessages(body.messages) });
  const maxTokens = fitMaxTokens(model, {
    promptTokens: generator.countTokens({ model: model.id, prompt }),
    requested: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    param: "messages",
  });
  return { model: model.id, prompt, options: { ...toGenerationOptions(body, model), maxTokens } };
}

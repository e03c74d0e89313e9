// Give each package the interface it asks for: the one place where they meet.
import type { GenerateRequest, LanguageModel as ScoredModel } from "@flacuna/eval";
import { createStopFilter, type LanguageModel, ModelError } from "@flacuna/model";
import { ServeError, type TextEvent, type TextGenerator } from "@flacuna/serve";
import { chatPrompt } from "./chat-prompt.ts";

/** What a client is told to wait when a model takes no more, as the server's own default. */
const RETRY_SECONDS = 5;

/** A language model as `@flacuna/eval` scores it: raw text in, text or log-probabilities out. */
export function toScoredModel(name: string, model: LanguageModel): ScoredModel {
  const { tokenizer } = model;
  const encode = (text: string) => tokenizer.encode(text);
  const sampling = ({ maxNewTokens, temperature, topK, topP, seed, stop }: GenerateRequest) => ({
    maxNewTokens,
    temperature,
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(seed !== undefined && { seed }),
    ...(stop !== undefined && { stop }),
  });
  return {
    name,
    countTokens: (text) => encode(text).length,
    async generateUntil(requests, options = {}) {
      const results = await model.generateBatch(
        requests.map(({ prompt }) => encode(prompt)),
        {
          maxNewTokens: 1,
          perPrompt: requests.map(sampling),
          ...(options.signal && { signal: options.signal }),
          ...(options.onProgress && { onProgress: options.onProgress }),
        },
      );
      return results.map((ids, index) => {
        const filter = createStopFilter(requests[index]!.stop ?? []);
        return filter.push(tokenizer.decode(ids, { skipSpecialTokens: true })).text + filter.flush();
      });
    },
    async loglikelihood(requests, options = {}) {
      const pairs = requests.map(({ context, continuation }) => {
        const contextIds = encode(context);
        return { contextIds, continuationIds: encode(context + continuation).slice(contextIds.length) };
      });
      return model.loglikelihood(pairs, options.signal ? { signal: options.signal } : {});
    },
  };
}

/** Language models by name as `@flacuna/serve` serves them; chats are laid out as each checkpoint says. */
export function toTextGenerator(models: ReadonlyMap<string, LanguageModel>): TextGenerator {
  const modelOf = (name: string): LanguageModel => models.get(name)!;
  return {
    models: [...models].map(([id, { config }]) => ({
      id,
      createdAtSeconds: 0,
      ownedBy: "flacuna",
      maxContextTokens: config.maxPositionEmbeddings,
      supportsJsonSchema: true,
    })),
    countTokens: ({ model, prompt }) => modelOf(model).tokenizer.encode(prompt).length,
    formatChat: ({ model, messages }) => chatPrompt(modelOf(model), messages),
    async *generate({ model, prompt, options, signal }) {
      try {
        yield* generateText(modelOf(model), prompt, options, signal);
      } catch (error) {
        throw toClientError(error);
      }
    },
  };
}

/** What a client is told of a failure that it can do something about; other failures are the server's. */
function toClientError(error: unknown): unknown {
  if (!(error instanceof ModelError)) return error;
  const { code, message } = error;
  // For a client the engine's line is as good as the server's own: it is told the same, 429 and when to come back.
  if (code === "MODEL_OVERLOADED") {
    return new ServeError("SERVE_OVERLOADED", message, { retryAfterSeconds: RETRY_SECONDS, cause: error });
  }
  const isSchema = code === "MODEL_SCHEMA_UNSUPPORTED";
  if (!isSchema && code !== "MODEL_INVALID_ARGUMENT") return error;
  const param = isSchema ? { param: "response_format" } : {};
  return new ServeError("SERVE_REQUEST_INVALID", message, { ...param, cause: error });
}

async function* generateText(
  model: LanguageModel,
  prompt: string,
  options: Parameters<TextGenerator["generate"]>[0]["options"],
  signal: AbortSignal,
): AsyncGenerator<TextEvent> {
  const { maxTokens = 256, ...rest } = options;
  const promptIds = model.tokenizer.encode(prompt);
  const decoder = model.tokenizer.incrementalDecoder({ skipSpecialTokens: true });
  const filter = createStopFilter(options.stop ?? []);
  const tokens = model.generate(promptIds, { maxNewTokens: maxTokens, signal, ...rest });
  let completionTokens = 0;
  let next = await tokens.next();
  for (; next.done !== true; next = await tokens.next()) {
    completionTokens++;
    const { text } = filter.push(decoder.push(next.value));
    if (text !== "") yield { type: "text-delta", text, tokenCount: 1 };
  }
  const text = filter.push(decoder.flush()).text + filter.flush();
  if (text !== "") yield { type: "text-delta", text, tokenCount: 0 };
  yield { type: "finish", finishReason: next.value, promptTokens: promptIds.length, completionTokens };
}

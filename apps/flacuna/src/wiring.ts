// Give each package the interface it asks for: the one place where they meet.
import type { GenerateRequest, LanguageModel as ScoredModel } from "@flacuna/eval";
import { type LanguageModel, type Tokenizer, VICUNA_V1_1 } from "@flacuna/model";
import type { TextEvent, TextGenerator } from "@flacuna/serve";

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
      const results = await model.generateBatch(requests.map(({ prompt }) => encode(prompt)), {
        maxNewTokens: 1,
        perPrompt: requests.map(sampling),
        ...(options.signal && { signal: options.signal }),
        ...(options.onProgress && { onProgress: options.onProgress }),
      });
      return results.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true }));
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

/** Language models by name as `@flacuna/serve` serves them; chats are laid out as Vicuna v1.1. */
export function toTextGenerator(models: ReadonlyMap<string, LanguageModel>): TextGenerator {
  const modelOf = (name: string): LanguageModel => models.get(name)!;
  return {
    models: [...models].map(([id, { config }]) => ({
      id,
      createdAtSeconds: 0,
      ownedBy: "flacuna",
      maxContextTokens: config.maxPositionEmbeddings,
    })),
    countTokens: ({ model, prompt }) => modelOf(model).tokenizer.encode(prompt).length,
    formatChat: ({ messages }) => VICUNA_V1_1.formatGenerationPrompt(messages),
    generate: ({ model, prompt, options, signal }) => generateText(modelOf(model), prompt, options, signal),
  };
}

async function* generateText(
  model: LanguageModel,
  prompt: string,
  options: Parameters<TextGenerator["generate"]>[0]["options"],
  signal: AbortSignal,
): AsyncGenerator<TextEvent> {
  const promptIds = model.tokenizer.encode(prompt);
  const { maxTokens = 256, ...rest } = options;
  const tokens = model.generate(promptIds, { maxNewTokens: maxTokens, signal, ...rest });
  const text = createTextStream(model.tokenizer, options.stop ?? []);
  let completionTokens = 0;
  for (;;) {
    const next = await tokens.next();
    if (next.done === true) {
      const last = text.end();
      if (last !== "") yield { type: "text-delta", text: last, tokenCount: 0 };
      yield { type: "finish", finishReason: next.value, promptTokens: promptIds.length, completionTokens };
      return;
    }
    completionTokens++;
    const delta = text.push(next.value);
    if (delta !== "") yield { type: "text-delta", text: delta, tokenCount: 1 };
  }
}

/** Text of tokens as they come, keeping back what may turn out to be the beginning of a stop string. */
function createTextStream(tokenizer: Tokenizer, stops: readonly string[]) {
  const decoder = tokenizer.incrementalDecoder({ skipSpecialTokens: true });
  const keepBack = Math.max(0, ...stops.map((stop) => stop.length - 1));
  let pending = "";
  const cut = (text: string) => {
    const ends = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    return ends.length === 0 ? text : text.slice(0, Math.min(...ends));
  };
  return {
    push(id: number): string {
      pending += decoder.push(id);
      const ready = stops.some((stop) => pending.includes(stop)) ? 0 : Math.max(0, pending.length - keepBack);
      const text = pending.slice(0, ready);
      pending = pending.slice(ready);
      return text;
    },
    end: (): string => cut(pending + decoder.flush()),
  };
}

// One generation from admission to its last event: model lookup, context check, place in the queue, failures.
import { ServeError } from "./errors.ts";
import type { AdmissionQueue } from "./queue.ts";
import type { GenerationOptions, ServedModel, TextEvent, TextGenerator } from "./text-generator.ts";

/** What every route works with. */
export interface ServeContext {
  readonly generator: TextGenerator;
  readonly queue: AdmissionQueue;
  /** Aborts what still runs when the time to drain is over. */
  readonly shutdownSignal: AbortSignal;
}

/** A generation that fits its model. */
export interface Generation {
  readonly model: string;
  readonly prompt: string;
  readonly options: GenerationOptions;
  readonly signal: AbortSignal;
}

/**
 * The model of that name.
 *
 * @throws ServeError `SERVE_MODEL_UNKNOWN`
 */
export function findModel(generator: TextGenerator, id: string): ServedModel {
  const model = generator.models.find((candidate) => candidate.id === id);
  if (model !== undefined) return model;
  const known = generator.models.map((candidate) => candidate.id).join(", ");
  throw new ServeError("SERVE_MODEL_UNKNOWN", `The model does not exist. This server has: ${known}.`, {
    param: "model",
  });
}

/**
 * The number of tokens to generate: what was asked for, or all that the context has room for.
 *
 * @throws ServeError `SERVE_CONTEXT_TOO_LONG` when prompt and completion together exceed the context
 */
export function fitMaxTokens(
  model: ServedModel,
  { promptTokens, requested, param }: { promptTokens: number; requested: number | undefined; param: string },
): number {
  const available = model.maxContextTokens - promptTokens;
  if (available >= (requested ?? 1)) return requested ?? available;
  const wanted = `you requested ${promptTokens + (requested ?? 1)} tokens (${promptTokens} in the prompt, ${requested ?? "at least 1"} in the completion)`;
  const message = `This model's maximum context length is ${model.maxContextTokens} tokens; ${wanted}. Reduce the prompt or the completion.`;
  throw new ServeError("SERVE_CONTEXT_TOO_LONG", message, { param });
}

/**
 * Waits for a place, then yields the generator's events; the place is given back when it ends, fails or is returned.
 *
 * @throws ServeError `SERVE_OVERLOADED`, `SERVE_SHUTTING_DOWN`, `SERVE_CLIENT_DISCONNECTED`, `SERVE_GENERATION_FAILED`
 */
export async function* generateText(
  { generator, queue }: ServeContext,
  generation: Generation,
): AsyncGenerator<TextEvent, void, undefined> {
  const { signal } = generation;
  const release = await queue.acquire(signal);
  try {
    for await (const event of generator.generate(generation)) {
      signal.throwIfAborted();
      yield event;
      if (event.type === "finish") return;
    }
    signal.throwIfAborted();
    throw new ServeError("SERVE_GENERATION_FAILED", "The model ended without saying why.");
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ServeError) throw error;
    throw new ServeError("SERVE_GENERATION_FAILED", "The model failed to generate.", { cause: error });
  } finally {
    release();
  }
}

/** All the text of a generation and its `finish` event. */
export async function collectText(
  events: AsyncIterable<TextEvent>,
): Promise<{ text: string; finish: Extract<TextEvent, { type: "finish" }> }> {
  let text = "";
  for await (const event of events) {
    if (event.type === "finish") return { text, finish: event };
    text += event.text;
  }
  throw new ServeError("SERVE_INTERNAL", "A generation ended without its finish event.");
}

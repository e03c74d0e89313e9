// What the two generating routes share: head and usage of an answer, and the order of a stream's chunks.
import { randomUUID } from "node:crypto";
import type { FinishReason, TextEvent } from "../text-generator.ts";

/** The fields every answer and chunk begins with. */
export interface AnswerHead {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  readonly model: string;
}

/** A new head; `created` is the current time. */
export function createHead({
  prefix,
  object,
  model,
}: {
  prefix: string;
  object: string;
  model: string;
}): AnswerHead {
  return { id: `${prefix}-${randomUUID()}`, object, created: Math.floor(Date.now() / 1000), model };
}

/** OpenAI's usage object. */
export function toUsage(finish: { promptTokens: number; completionTokens: number }) {
  const { promptTokens, completionTokens } = finish;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** How one endpoint writes the single choice of a chunk. */
export interface ChunkChoices {
  /** Sent before the first text, if the endpoint opens with a chunk of its own. */
  opening?(): object;
  text(text: string): object;
  finish(reason: FinishReason): object;
}

/** Chunks of a stream, with `usage` on each (null but in the last) when the client asked for it. */
export async function* toChunks(
  events: AsyncIterable<TextEvent>,
  { head, choices, includeUsage }: { head: AnswerHead; choices: ChunkChoices; includeUsage: boolean },
): AsyncGenerator<object, void, undefined> {
  const toChunk = (choice: object) => ({
    ...head,
    choices: [{ index: 0, ...choice, logprobs: null }],
    ...(includeUsage && { usage: null }),
  });
  let isOpen = false;
  for await (const event of events) {
    // The opening waits for the first event, so that a failure before it can still be an HTTP error.
    if (!isOpen && choices.opening !== undefined) yield toChunk(choices.opening());
    isOpen = true;
    if (event.type === "text-delta") {
      if (event.text !== "") yield toChunk(choices.text(event.text));
    } else {
      yield toChunk(choices.finish(event.finishReason));
      if (includeUsage) yield { ...head, choices: [], usage: toUsage(event) };
    }
  }
}

// The interface this server serves: text in, text deltas out. Nothing of HTTP and nothing of any model runtime.

/** How one request is to be sampled. An absent field leaves the choice to the generator. */
export interface GenerationOptions {
  /** Upper bound on generated tokens. The server always sets it. */
  maxTokens?: number;
  /** 0 is greedy. The server always sets it (1 when the client names none, as in OpenAI's API). */
  temperature?: number;
  /** Nucleus probability mass in (0, 1]. */
  topP?: number;
  /** Number of candidate tokens kept; a positive integer. */
  topK?: number;
  /** Strings that end the generation; the matched string is not part of the text. */
  stop?: readonly string[];
  seed?: number;
  /** The text is to be JSON that is valid by this schema; for models that say so alone. */
  jsonSchema?: object;
}

/** Why a generation ended: by itself or at a stop string (`stop`), or at `maxTokens` (`length`). */
export type FinishReason = "stop" | "length";

/** One piece of text with the number of tokens it stands for, or the end of the generation with its usage. */
export type TextEvent =
  | { type: "text-delta"; text: string; tokenCount: number }
  | { type: "finish"; finishReason: FinishReason; promptTokens: number; completionTokens: number };

/** One model as clients see it in `/v1/models`. */
export interface ServedModel {
  readonly id: string;
  /** Unix time in seconds. */
  readonly createdAtSeconds: number;
  readonly ownedBy: string;
  /** Prompt and completion together. */
  readonly maxContextTokens: number;
  /** Whether it honours `jsonSchema`. Default false: requests for JSON are refused. */
  readonly supportsJsonSchema?: boolean;
}

/** One turn of a conversation, as text. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Anything that can continue a text. The server hands it only models it lists and prompts that fit them. */
export interface TextGenerator {
  readonly models: readonly ServedModel[];
  /** The number of tokens the model will see for this prompt, special tokens included. */
  countTokens(request: { model: string; prompt: string }): number;
  /** The prompt the model expects for these messages, ending where the assistant's answer begins. */
  formatChat(request: { model: string; messages: readonly ChatMessage[] }): string;
  /**
   * Continues the prompt, ending with exactly one `finish` event. Once `signal` is aborted it should stop
   * computing and either end or throw; what it yields afterwards is discarded.
   *
   * @throws ServeError to have the client told so: `SERVE_REQUEST_INVALID` for what it cannot honour, such as a schema,
   * `SERVE_OVERLOADED` when it takes no more for now. Anything else becomes `SERVE_GENERATION_FAILED`.
   */
  generate(request: {
    model: string;
    prompt: string;
    options: GenerationOptions;
    signal: AbortSignal;
  }): AsyncIterable<TextEvent>;
}

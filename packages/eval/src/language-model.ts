// The language model that is scored, as this package needs it: text in, text or log-probabilities out.

/** One continuation to generate. */
export interface GenerateRequest {
  readonly prompt: string;
  readonly maxNewTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  /** Makes sampling repeatable; ignored when greedy. */
  readonly seed?: number;
  readonly stop?: readonly string[];
}

/** One continuation to score given its context. */
export interface LoglikelihoodRequest {
  readonly context: string;
  /** Carries its own leading space where the word boundary needs one. */
  readonly continuation: string;
}

/** What a model must offer to be evaluated; it batches inside, so requests come many at a time. */
export interface LanguageModel {
  /** Identifies the weights; stored samples are found again by it. */
  readonly name: string;
  /** Tokens of `text` including the beginning-of-sequence token, as the length check needs it. */
  countTokens(text: string): number;
  /** The continuations, without their prompts, in the order of the requests. */
  generateUntil(
    requests: readonly GenerateRequest[],
    options?: { signal?: AbortSignal; onProgress?(done: number, total: number): void },
  ): Promise<string[]>;
  /** Log-probabilities in nats, in the order of the requests. */
  loglikelihood(
    requests: readonly LoglikelihoodRequest[],
    options?: { signal?: AbortSignal },
  ): Promise<{ logProbNats: number; isGreedy: boolean }[]>;
}

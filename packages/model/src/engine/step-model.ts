// What the engine asks of a model: advance any set of sequences by any number of tokens in one step. Types only.

/** A model whose keys and values live in pages of a pool, one pool for all sequences. One run at a time. */
export interface StepModel {
  /** Tokens are 0 … `vocabSize` − 1. */
  readonly vocabSize: number;
  /** Positions that one page holds. */
  readonly pageSize: number;
  /** Pages are 0 … `pageCount` − 1. */
  readonly pageCount: number;
  /**
   * Writes the keys and values of all the batch's tokens into their pages, then reads where it is asked to. What a read
   * gives depends on the sequence up to it alone: not on the other sequences, nor on how many steps it took to get there,
   * nor on which pages hold it. Sequences of one batch may read a common page; no two write one.
   * Settles, either way, when nothing is being written any more.
   *
   * @returns one result per read: the first sequence's in their order, then the second's, …
   * @throws `TENSOR_CANCELLED` once `signal` is aborted; what the pages of the batch's tokens hold is then undefined
   */
  run(batch: StepBatch, options?: { readonly signal?: AbortSignal }): Promise<readonly StepResult[]>;
  /** Frees the pool; no run is under way. */
  dispose(): Promise<void>;
}

/** What one step does. */
export interface StepBatch {
  /** One at least. */
  readonly sequences: readonly StepSequence[];
}

/** The next tokens of one sequence. */
export interface StepSequence {
  /** One at least. */
  readonly tokens: readonly number[];
  /** Position of `tokens[0]`: as many tokens have been computed before and are in `pages`. */
  readonly position: number;
  /** Entry i holds positions i · pageSize …, up to the last of `tokens` at least. Read during the run only. */
  readonly pages: readonly number[];
  /** Index of the adapter that its tokens go through; 0 is none. */
  readonly adapter: number;
  /** What to read; empty for a part of a prompt. Offsets rise or repeat. */
  readonly reads: readonly Read[];
}

/** A choice of the token after one of a sequence's tokens. */
export interface Read {
  /** Index into `tokens`: the token after this one is chosen. */
  readonly offset: number;
  readonly selection: Selection;
}

/**
 * How a token is chosen from logits, in this order: repetition penalty, frequency and presence penalties, bias, mask;
 * then the most likely at temperature 0, else temperature, `topK`, `topP`, `minP` and a draw by `uniform`.
 */
export interface Selection {
  /** 0 takes the most likely token, the lowest id of equals. */
  readonly temperature: number;
  /** Tokens that are kept; 0 keeps all. */
  readonly topK: number;
  /** Probability that is kept; 1 keeps all. */
  readonly topP: number;
  /** Least share of the most likely token's probability that is kept; 0 keeps all. */
  readonly minP: number;
  /** In [0, 1); decides the draw. */
  readonly uniform: number;
  /** Divides positive and multiplies negative logits of the tokens in `seen`; 1 is none. */
  readonly repetitionPenalty: number;
  /** Taken off a logit for each time its token was seen; 0 is none. */
  readonly frequencyPenalty: number;
  /** Taken off the logit of a token that was seen; 0 is none. */
  readonly presencePenalty: number;
  /** A token to score rather than choose: `token`, `logProb` and `isGreedy` are this one's. */
  readonly forced?: number;
  /** One bit per token, the lowest bit of entry 0 for token 0: set where it may be chosen. Absent: all may. */
  readonly mask?: Int32Array;
  /** How often each token was seen; read during the run only. */
  readonly seen?: ReadonlyMap<number, number>;
  /** What is added to tokens' logits. */
  readonly bias?: ReadonlyMap<number, number>;
  /** How many of the most likely tokens to report. */
  readonly top: number;
}

/** A token and its log-probability under the model's own distribution: no penalty, bias, mask or temperature. */
export interface TokenLogProb {
  readonly id: number;
  /** Nats. */
  readonly logProb: number;
}

/** What one read gives. */
export interface StepResult {
  /** The chosen token, or the forced one; −1 when the logits are not finite. */
  readonly token: number;
  /** Nats, under the model's own distribution. */
  readonly logProb: number;
  /** Whether `token` is the most likely under the model's own distribution, the lowest id of equals. */
  readonly isGreedy: boolean;
  /** The `top` most likely tokens, falling; equals by rising id. */
  readonly top: readonly TokenLogProb[];
}

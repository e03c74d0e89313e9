// What generation needs of a model: logits of the next token for a batch of sequences that grow together. Types only.

/** A model that can continue sequences. */
export interface NextTokenModel {
  /**
   * Reads the prompts and returns them as a batch, its logits those of each one's next token.
   *
   * @param prompts one token id each at least
   * @param options `capacity`: tokens the longest may grow to
   */
  start(
    prompts: readonly (readonly number[])[],
    options: { readonly capacity: number; readonly signal?: AbortSignal | undefined },
  ): Promise<DecodingBatch>;
}

/** Sequences under way; the owner disposes it. */
export interface DecodingBatch {
  /** [V] float32: logits of the next token of sequence `row`. Overwritten by the next step. */
  logitsOf(row: number): Float32Array;
  /** Appends one token to every sequence. */
  step(tokens: readonly number[], options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Frees the cache. */
  dispose(): void;
}

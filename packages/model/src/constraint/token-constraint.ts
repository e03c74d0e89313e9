// What a generation asks of a constraint on its tokens. Types only.

/** Which tokens may come next, token by token: the state of a grammar, for one generation. */
export interface TokenConstraint {
  /** Does in small parts what the next `fill` would take long for: what can be done in between comes between the parts. */
  prepare?(): Iterable<void>;
  /** Sets the bits of the tokens that may come next, the lowest bit of entry 0 for token 0, and clears all others. */
  fill(mask: Int32Array): void;
  /**
   * Goes on to the state after `token`.
   *
   * @throws ModelError `MODEL_INVALID_ARGUMENT` when it may not come next
   */
  accept(token: number): void;
  /** Whether nothing can come next but the end. */
  readonly isDone: boolean;
}

/** Makes a constraint for each generation that is to have one. */
export type TokenConstraintFactory = () => TokenConstraint | Promise<TokenConstraint>;

// Turns a growing sequence of token ids into text piece by piece. Knows nothing of vocabularies.

/** Text of a sequence that is still growing. */
export interface IncrementalDecoder {
  /** The text that `id` completes; empty while it ends inside a character. */
  push(id: number): string;
  /** What was held back, bytes of no character as `\uFFFD`; the sequence has ended. */
  flush(): string;
}

/**
 * A decoder over `decode`. The pieces joined are `decode` of the whole sequence, whenever that has no broken UTF-8.
 *
 * Each piece is a difference of two decodings that begin at the same, earlier token, so that what `decode` does at the
 * start of a text (LLaMA drops one space) is done once.
 */
export function createIncrementalDecoder(decode: (ids: readonly number[]) => string): IncrementalDecoder {
  // `pending` begins with the `shown` tokens whose text is already out.
  let pending: number[] = [];
  let shown = 0;
  const take = (isLast: boolean): string => {
    const text = decode(pending);
    if (!isLast && text.endsWith("\uFFFD")) return "";
    const piece = text.slice(decode(pending.slice(0, shown)).length);
    if (piece === "" && !isLast && shown > 0) return "";
    pending = pending.slice(shown);
    shown = pending.length;
    return piece;
  };
  return {
    push(id) {
      pending.push(id);
      return take(false);
    },
    flush: () => take(true),
  };
}

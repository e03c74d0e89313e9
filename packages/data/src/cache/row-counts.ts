// How many rows a cache was made from and what became of them.
import type { DropReason } from "../render.ts";
import type { NoLossReason } from "../tokenize.ts";

/** What became of the rows of a source. */
export interface RowCounts {
  /** Rows read. */
  readonly rows: number;
  /** Samples stored. */
  readonly samples: number;
  readonly tokens: number;
  /** Tokens that carry loss. */
  readonly trainedTokens: number;
  /** Rows cut to the maximum length. */
  readonly truncated: number;
  /** Rows without text, by reason; never stored. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  /** Rows with text but without loss, by reason; stored or not, as the options say. */
  readonly withoutLoss: Readonly<Partial<Record<NoLossReason, number>>>;
}

/** Counts of nothing. */
export const NO_ROWS: RowCounts = {
  rows: 0,
  samples: 0,
  tokens: 0,
  trainedTokens: 0,
  truncated: 0,
  dropped: {},
  withoutLoss: {},
};

/** The counts with one more of a reason. */
export function increment<Reason extends string>(
  counts: Readonly<Partial<Record<Reason, number>>>,
  reason: Reason,
): Readonly<Partial<Record<Reason, number>>> {
  return { ...counts, [reason]: (counts[reason] ?? 0) + 1 };
}

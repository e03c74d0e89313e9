// Rows of different lengths as one rectangular batch; no choice of rows.
import { assertCount } from "./assert-count.ts";
import { DataError } from "./errors.ts";
import { IGNORE_INDEX } from "./labels.ts";
import type { TokenizedRow } from "./tokenized-rows.ts";

/** A batch of rows, padded on the right; every array is [B, T], row major. */
export interface TokenBatch {
  readonly inputIds: BigInt64Array;
  /** `IGNORE_INDEX` where nothing is trained; not shifted. */
  readonly labels: BigInt64Array;
  /** 1 where the id is not the padding id, else 0. */
  readonly attentionMask: BigInt64Array;
  /** Where in its row each token's document begins: 0 unless rows are packed, and a document of its own for padding. */
  readonly starts: Int32Array;
  /** B */
  readonly batchSize: number;
  /** T */
  readonly sequenceLength: number;
}

/** How rows are padded. */
export interface CollateOptions {
  readonly padTokenId: number;
  /** T is rounded up to a multiple of this. Default 1. */
  readonly padToMultipleOf?: number;
}

/**
 * The rows as one batch, as long as its longest row rounded up. As in the reference the attention mask is that of the
 * ids: a padding id written in a text is not attended to either.
 *
 * @throws DataError `DATA_OPTION_INVALID` for no rows or a bad multiple
 */
export function collate(rows: readonly TokenizedRow[], options: CollateOptions): TokenBatch {
  const { padTokenId, padToMultipleOf = 1 } = options;
  assertCount(padToMultipleOf, "padToMultipleOf");
  if (rows.length === 0)
    throw new DataError("DATA_OPTION_INVALID", "collate: expected at least one row, got none");
  const batchSize = rows.length;
  const longest = rows.reduce((length, { inputIds }) => Math.max(length, inputIds.length), 0);
  const sequenceLength = Math.ceil(longest / padToMultipleOf) * padToMultipleOf;
  const inputIds = new BigInt64Array(batchSize * sequenceLength).fill(BigInt(padTokenId));
  const labels = new BigInt64Array(batchSize * sequenceLength).fill(BigInt(IGNORE_INDEX));
  const attentionMask = new BigInt64Array(batchSize * sequenceLength);
  const starts = Int32Array.from(inputIds, (_, index) => index % sequenceLength);
  for (const [b, row] of rows.entries()) {
    const start = b * sequenceLength;
    for (let t = 0; t < row.inputIds.length; t++) {
      inputIds[start + t] = BigInt(row.inputIds[t]!);
      labels[start + t] = BigInt(row.labels[t]!);
      if (row.inputIds[t] !== padTokenId) attentionMask[start + t] = 1n;
      starts[start + t] = row.starts?.[t] ?? 0;
    }
  }
  return { inputIds, labels, attentionMask, starts, batchSize, sequenceLength };
}

// Tokenized rows as the loader sees them, and a view of some of them; no storage.
import { DataError } from "./errors.ts";

/** One row: ids and labels of one length, labels `IGNORE_INDEX` where nothing is trained. */
export interface TokenizedRow {
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
  /** Where each token's document begins in the row, when the row holds several; see `packRows`. */
  readonly starts?: Int32Array;
}

/** Rows by number. */
export interface TokenizedRows {
  readonly length: number;
  /** @throws DataError `DATA_INDEX_OUT_OF_RANGE` */
  get(index: number): TokenizedRow;
  /** The number of tokens of a row, cheaper than the row itself. */
  tokenCount(index: number): number;
}

/** The rows with the given numbers, in that order, without copying any; for example one part of a split. */
export function selectRows(rows: TokenizedRows, indices: ArrayLike<number>): TokenizedRows {
  const indexAt = (position: number): number => {
    const index = indices[position];
    if (index !== undefined) return index;
    const message = `selected rows: no row ${position}, there are ${indices.length}`;
    throw new DataError("DATA_INDEX_OUT_OF_RANGE", message, { index: position });
  };
  return {
    length: indices.length,
    get: (position) => rows.get(indexAt(position)),
    tokenCount: (position) => rows.tokenCount(indexAt(position)),
  };
}

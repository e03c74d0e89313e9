// Short rows joined to rows of nearly full length, each a document of its own; no batches.
import { assertCount } from "./assert-count.ts";
import { DataError } from "./errors.ts";
import { IGNORE_INDEX } from "./labels.ts";
import { feistelPermutation } from "./random/feistel-permutation.ts";
import type { TokenizedRow, TokenizedRows } from "./tokenized-rows.ts";

/** How rows are packed. */
export interface PackOptions {
  /** Tokens a packed row has at most; a longer row stays alone. */
  readonly capacity: number;
  /** Rows among which neighbours are chosen; more fill the packed rows better. Default 1024. */
  readonly window?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A view of the rows in which each row holds several of them, one after another, with `starts` to tell them apart.
 * Every row is in exactly one packed row. What is packed together is a pure function of the lengths and the options,
 * the same in every epoch, so that an epoch's number of micro-batches is known; a loader shuffles the packed rows.
 *
 * The rows are shuffled, cut into windows, and each window is packed first-fit decreasing.
 *
 * @throws DataError `DATA_OPTION_INVALID`
 * @see Johnson 1973, first-fit decreasing: at most 11/9 of the fewest rows possible
 */
export function packRows(rows: TokenizedRows, options: PackOptions): TokenizedRows {
  const { capacity, window = 1024, seed = 0 } = options;
  assertCount(capacity, "capacity");
  assertCount(window, "window");
  const order = feistelPermutation(rows.length, "pack", seed);
  const packs: Int32Array[] = [];
  for (let start = 0; start < rows.length; start += window) {
    const count = Math.min(window, rows.length - start);
    const samples = Array.from({ length: count }, (_, position) => order.at(start + position));
    for (const pack of firstFitDecreasing(samples, (sample) => rows.tokenCount(sample), capacity))
      packs.push(Int32Array.from(pack));
  }
  const packAt = (index: number): Int32Array => {
    const pack = packs[index];
    if (pack !== undefined) return pack;
    const message = `packed rows: no row ${index}, there are ${packs.length}`;
    throw new DataError("DATA_INDEX_OUT_OF_RANGE", message, { index });
  };
  return {
    length: packs.length,
    get: (index) => joinRows(Array.from(packAt(index), (sample) => rows.get(sample))),
    tokenCount: (index) => packAt(index).reduce((total, sample) => total + rows.tokenCount(sample), 0),
  };
}

/** The samples, longest first, each put to the first group that has room. */
export function firstFitDecreasing(
  samples: readonly number[],
  tokenCount: (sample: number) => number,
  capacity: number,
): number[][] {
  const byLength = samples
    .map((sample) => ({ sample, count: tokenCount(sample) }))
    .sort((a, b) => b.count - a.count);
  const groups: { readonly samples: number[]; room: number }[] = [];
  for (const { sample, count } of byLength) {
    const group = groups.find(({ room }) => count <= room);
    if (group === undefined) groups.push({ samples: [sample], room: capacity - count });
    else {
      group.samples.push(sample);
      group.room -= count;
    }
  }
  return groups.map((group) => group.samples);
}

/** Rows one after another. No token of one predicts the first of the next, so that one carries no label. */
function joinRows(rows: readonly TokenizedRow[]): TokenizedRow {
  const length = rows.reduce((total, { inputIds }) => total + inputIds.length, 0);
  const joined = {
    inputIds: new Int32Array(length),
    labels: new Int32Array(length),
    starts: new Int32Array(length),
  };
  let start = 0;
  for (const { inputIds, labels } of rows) {
    joined.inputIds.set(inputIds, start);
    joined.labels.set(labels, start);
    joined.starts.fill(start, start, start + inputIds.length);
    if (start > 0 && inputIds.length > 0) joined.labels[start] = IGNORE_INDEX;
    start += inputIds.length;
  }
  return joined;
}

// Instructions as token rows, and rows as micro-batches: full rows, rows of like length, packed rows. No file access.
import {
  IGNORE_INDEX,
  type InstructionExample,
  numpyPermutation,
  packRows,
  tokenizeExample,
} from "@flacuna/data";
import { type Tokenizer, VICUNA_V1_1 } from "@flacuna/model";
import type { Batch, Row } from "./protocol.ts";

const ORDER_SEED = 7;

/** The examples as rows of at most `maxLength` tokens, laid out as Vicuna v1.1; rows without a label are left out. */
export async function tokenizeRows(
  examples: readonly InstructionExample[],
  tokenizer: Tokenizer,
  maxLength: number,
): Promise<Row[]> {
  const options = { ...vicunaFor(tokenizer), maxLength };
  const rows: Row[] = [];
  for (const example of examples) {
    const tokenized = await tokenizeExample(example, options);
    if ("dropped" in tokenized || tokenized.withoutLoss !== undefined) continue;
    rows.push({ inputIds: tokenized.inputIds, labels: tokenized.labels });
  }
  return rows;
}

/**
 * Vicuna's template and masking with another model's special tokens: its end of sequence closes an answer, its
 * beginning of sequence opens a row, and padding is a token that no row contains.
 */
function vicunaFor(tokenizer: Tokenizer) {
  const endOfTurn = tokenizer.idToToken(tokenizer.eosTokenId)!;
  const padTokenId = padTokenOf(tokenizer);
  return {
    template: {
      ...VICUNA_V1_1,
      endOfTurn,
      format: (messages: Parameters<typeof VICUNA_V1_1.format>[0]) =>
        VICUNA_V1_1.format(messages).replaceAll(VICUNA_V1_1.endOfTurn, endOfTurn),
    },
    tokenizer: {
      encode: (text: string) => tokenizer.encode(text, { addBos: true }),
      padTokenId,
      vocabSize: tokenizer.vocabSize,
    },
  };
}

/** SmolLM2 names its end of turn as padding, too, which the masking would not count as a token. */
export function padTokenOf(tokenizer: Tokenizer): number {
  const { padTokenId, eosTokenId } = tokenizer;
  return padTokenId === eosTokenId ? (tokenizer.tokenToId("<|endoftext|>") ?? 0) : padTokenId;
}

/**
 * Rows of exactly `length` tokens: examples one after another, cut where a row is full; a row without a label is left
 * out, as it has no loss. Attention goes over the whole row, so that both sides do the same work.
 *
 * @throws Error when the examples do not suffice
 */
export function fullRows(rows: readonly Row[], length: number, count: number): Row[] {
  const inputIds = rows.flatMap((row) => row.inputIds);
  const labels = rows.flatMap((row) => row.labels);
  const full = Array.from({ length: Math.floor(inputIds.length / length) }, (_, index) => ({
    inputIds: inputIds.slice(index * length, (index + 1) * length),
    labels: labels.slice(index * length, (index + 1) * length),
  })).filter((row) => labelCount(row) > 0);
  if (full.length < count) {
    throw new Error(`${count} rows of ${length} tokens asked for, the examples fill ${full.length}`);
  }
  return full.slice(0, count);
}

/** Consecutive rows as micro-batches of `batchSize`. */
export function batchesOf(rows: readonly Row[], batchSize: number, padTokenId: number): Batch[] {
  return Array.from({ length: Math.ceil(rows.length / batchSize) }, (_, index) =>
    toBatch(rows.slice(index * batchSize, (index + 1) * batchSize), padTokenId),
  );
}

/** Micro-batches that are sorted together, at most. @see transformers, `LengthGroupedSampler` */
const MEGA_BATCH = 50;

/**
 * Rows in random order, sorted by length within windows, as the peer's Trainer does with `group_by_length`: rows of
 * a micro-batch are of like length, and an epoch still has a random order.
 */
export function lengthGrouped(rows: readonly Row[], batchSize: number, padTokenId: number): Batch[] {
  const multiple = Math.max(1, Math.min(MEGA_BATCH, Math.floor(rows.length / (4 * batchSize))));
  const window = multiple * batchSize;
  const shuffled = Array.from(numpyPermutation(rows.length, ORDER_SEED), (index) => rows[index]!);
  const sorted = Array.from({ length: Math.ceil(rows.length / window) }, (_, index) =>
    shuffled
      .slice(index * window, (index + 1) * window)
      .sort((a, b) => b.inputIds.length - a.inputIds.length),
  );
  return batchesOf(sorted.flat(), batchSize, padTokenId);
}

/** Rows joined to rows of nearly `capacity` tokens, each a micro-batch; attention stays within an example. */
export function packed(rows: readonly Row[], capacity: number, padTokenId: number): Batch[] {
  const view = packRows(
    {
      length: rows.length,
      tokenCount: (index) => rows[index]!.inputIds.length,
      get: (index) => ({
        inputIds: Int32Array.from(rows[index]!.inputIds),
        labels: Int32Array.from(rows[index]!.labels),
      }),
    },
    { capacity },
  );
  return Array.from({ length: view.length }, (_, index) => {
    const { inputIds, labels, starts } = view.get(index);
    return toBatch([{ inputIds: [...inputIds], labels: [...labels], starts: [...starts!] }], padTokenId);
  });
}

/** Rows padded on the right to the longest; what pads is a document of its own. */
function toBatch(rows: readonly Row[], padTokenId: number): Batch {
  const length = Math.max(...rows.map(({ inputIds }) => inputIds.length));
  const pad = (values: readonly number[], filler: (position: number) => number): number[] =>
    Array.from({ length }, (_, position) => values[position] ?? filler(position));
  const isPacked = rows.some(({ starts }) => starts !== undefined);
  return {
    inputIds: rows.map(({ inputIds }) => pad(inputIds, () => padTokenId)),
    labels: rows.map(({ labels }) => pad(labels, () => IGNORE_INDEX)),
    lengths: rows.map(({ inputIds }) => inputIds.length),
    ...(isPacked && { starts: rows.map(({ starts = [] }) => pad(starts, (position) => position)) }),
  };
}

/** Tokens that are not padding. */
export const tokenCount = (batches: readonly Batch[]): number =>
  batches.reduce((total, { lengths }) => total + lengths.reduce((sum, each) => sum + each, 0), 0);

/** Positions that carry loss: a label in the first column is nobody's next token. */
const labelCount = ({ labels }: Row): number =>
  labels.slice(1).filter((label) => label !== IGNORE_INDEX).length;

// Documents as rows of tokens of one length, documents following each other without padding.
import { type Tokenizer, VICUNA_V1_1 } from "@flacuna/model";
import { type LabelledBatch } from "@flacuna/lora";
import type { PretrainingDocument } from "../nano/pretraining.ts";

const ROLES = { human: "user", gpt: "assistant" } as const;

/** A document as text: plain text ends in `</s>`, a conversation is laid out as Vicuna v1.1. */
export function documentText(document: PretrainingDocument): string {
  if ("text" in document) return `${document.text}</s>`;
  return VICUNA_V1_1.format(document.conversations.map(({ from, value }) => ({ role: ROLES[from], content: value })));
}

/** Rows of `length` tokens, each document beginning with BOS. */
export function* tokenRows(
  documents: Iterable<PretrainingDocument>,
  tokenizer: Tokenizer,
  length: number,
): Generator<BigInt64Array> {
  let buffer: number[] = [];
  for (const document of documents) {
    buffer.push(...tokenizer.encode(documentText(document)));
    while (buffer.length >= length) {
      yield BigInt64Array.from(buffer.slice(0, length), BigInt);
      buffer = buffer.slice(length);
    }
  }
}

/** Consecutive rows as a batch in which every token is to be predicted. */
export function rowBatch(rows: readonly BigInt64Array[], length: number): LabelledBatch {
  const inputIds = new BigInt64Array(rows.length * length);
  rows.forEach((row, index) => inputIds.set(row, index * length));
  return { inputIds, labels: inputIds, batchSize: rows.length, sequenceLength: length };
}

// Documents as rows of tokens of one length, documents following each other without padding.

import type { LabelledBatch } from "@flacuna/lora";
import { type Tokenizer, VICUNA_V1_1 } from "@flacuna/model";
import type { PretrainingDocument } from "../nano/pretraining.ts";

const ROLES = { human: "user", gpt: "assistant" } as const;

/** A document as text: plain text ends in `</s>`, a conversation is laid out as Vicuna v1.1. */
export function documentText(document: PretrainingDocument): string {
  if ("text" in document) return `${document.text}</s>`;
  return VICUNA_V1_1.format(
    document.conversations.map(({ from, value }) => ({ role: ROLES[from], content: value })),
  );
}

/** Rows of tokens, each document beginning with BOS; `next` takes the length of the row it returns. */
export class TokenRows {
  private readonly documents: Iterator<PretrainingDocument>;
  private readonly tokenizer: Tokenizer;
  private buffer: number[] = [];

  constructor(documents: Iterable<PretrainingDocument>, tokenizer: Tokenizer) {
    this.documents = documents[Symbol.iterator]();
    this.tokenizer = tokenizer;
  }

  /** The next `length` tokens of the stream. */
  next(length: number): BigInt64Array {
    while (this.buffer.length < length) {
      this.buffer.push(
        ...this.tokenizer.encode(documentText(this.documents.next().value as PretrainingDocument)),
      );
    }
    return BigInt64Array.from(this.buffer.splice(0, length), BigInt);
  }

  /** Consecutive rows as a batch in which every token is to be predicted. */
  nextBatch(batchSize: number, sequenceLength: number): LabelledBatch {
    const inputIds = new BigInt64Array(batchSize * sequenceLength);
    for (let row = 0; row < batchSize; row++) inputIds.set(this.next(sequenceLength), row * sequenceLength);
    return { inputIds, labels: inputIds, batchSize, sequenceLength };
  }
}

// Micro-batches of tokenized rows in training order, which can be left and taken up again anywhere.
import { assertCount } from "./assert-count.ts";
import { collate, type TokenBatch } from "./collate.ts";
import { DataError } from "./errors.ts";
import { batchesOf, lengthGroups } from "./length-groups.ts";
import { type SampleOrderOptions, sampleOrder } from "./order.ts";
import type { TokenizedRows } from "./tokenized-rows.ts";

/** What is loaded and in which order. */
export interface TokenLoaderOptions
  extends Pick<SampleOrderOptions, "rank" | "worldSize" | "remainder" | "shuffle"> {
  readonly rows: TokenizedRows;
  /** Rows per micro-batch; the last of an epoch may have fewer. */
  readonly batchSize: number;
  readonly padTokenId: number;
  /** Default 0. */
  readonly seed?: number;
  /** Passes over the rows; `Infinity` for no end. Default 1. */
  readonly epochs?: number;
  /** The sequence length is rounded up to a multiple of this. Default 1. */
  readonly padToMultipleOf?: number;
  /** Micro-batches in a window within which rows are grouped by length; 1 (the default) for no grouping. */
  readonly lengthGroupWindow?: number;
}

/** Everything that decides which rows are in which micro-batch; a state is good for a loader with the same. */
export interface LoaderIdentity {
  readonly length: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly rank: number;
  readonly worldSize: number;
  readonly remainder: "keep" | "repeat";
  readonly shuffle: boolean;
  readonly lengthGroupWindow: number;
}

/** A place between two micro-batches; plain JSON. */
export interface TokenLoaderState {
  /** 0-based; equal to the number of epochs at the end. */
  readonly epoch: number;
  /** 0-based micro-batch of the epoch that comes next. */
  readonly batch: number;
  readonly identity: LoaderIdentity;
}

/**
 * An async iterator of micro-batches. Which rows a micro-batch holds is a pure function of the options, the epoch and
 * its number, so a restored loader goes on exactly as one that never stopped. All iterators of a loader share its place.
 */
export class TokenLoader implements AsyncIterable<TokenBatch> {
  /** Micro-batches of this rank in one epoch. */
  readonly batchesPerEpoch: number;
  readonly #options: TokenLoaderOptions;
  readonly #identity: LoaderIdentity;
  readonly #epochs: number;
  #epoch = 0;
  #batch = 0;
  #window: { readonly name: string; readonly batches: number[][] } = { name: "", batches: [] };

  /** @throws DataError `DATA_OPTION_INVALID` */
  constructor(options: TokenLoaderOptions) {
    const { rows, batchSize, seed = 0, epochs = 1, lengthGroupWindow = 1 } = options;
    const { rank = 0, worldSize = 1, remainder = "keep", shuffle = true } = options;
    assertCount(batchSize, "batchSize");
    assertCount(lengthGroupWindow, "lengthGroupWindow");
    if (epochs !== Number.POSITIVE_INFINITY) assertCount(epochs, "epochs", 0);
    this.#options = options;
    this.#identity = {
      length: rows.length,
      batchSize,
      seed,
      rank,
      worldSize,
      remainder,
      shuffle,
      lengthGroupWindow,
    };
    this.#epochs = epochs;
    this.batchesPerEpoch = Math.ceil(sampleOrder({ ...this.#identity, epoch: 0 }).length / batchSize);
  }

  /** The place after the last micro-batch handed out. */
  state(): TokenLoaderState {
    return { epoch: this.#epoch, batch: this.#batch, identity: this.#identity };
  }

  /**
   * Goes to a place, so that the next micro-batch is the one that would have followed there.
   *
   * @throws DataError `DATA_STATE_MISMATCH` when the state is of a loader with other rows or options
   */
  restore(state: TokenLoaderState): void {
    for (const [name, expected] of Object.entries(this.#identity)) {
      const got = state.identity[name as keyof LoaderIdentity];
      if (got !== expected) throw mismatch(`its ${name} is ${got}, this loader's is ${expected}`);
    }
    const { epoch, batch } = state;
    const isPlace = Number.isInteger(epoch) && epoch >= 0 && Number.isInteger(batch) && batch >= 0;
    if (!isPlace || (batch > 0 && batch >= this.batchesPerEpoch))
      throw mismatch(`no micro-batch ${batch} of epoch ${epoch}`);
    this.#epoch = epoch;
    this.#batch = batch;
  }

  /** The samples of a micro-batch of this rank. @throws DataError `DATA_INDEX_OUT_OF_RANGE` */
  samplesAt(epoch: number, batch: number): readonly number[] {
    const { lengthGroupWindow } = this.#identity;
    const samples = this.#windowOf(epoch, Math.floor(batch / lengthGroupWindow))[batch % lengthGroupWindow];
    if (samples !== undefined) return samples;
    const message = `loader of ${this.batchesPerEpoch} micro-batches per epoch: no micro-batch ${batch}`;
    throw new DataError("DATA_INDEX_OUT_OF_RANGE", message, { index: batch });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TokenBatch, void, undefined> {
    const { rows, ...padding } = this.#options;
    while (this.#epoch < this.#epochs && this.batchesPerEpoch > 0) {
      const samples = this.samplesAt(this.#epoch, this.#batch);
      const next = collate(
        samples.map((sample) => rows.get(sample)),
        padding,
      );
      this.#advance();
      yield next;
    }
  }

  #advance(): void {
    this.#batch++;
    if (this.#batch < this.batchesPerEpoch) return;
    this.#batch = 0;
    this.#epoch++;
  }

  /** The micro-batches of one window; the last window asked for is kept. */
  #windowOf(epoch: number, window: number): number[][] {
    const name = `${epoch}/${window}`;
    if (this.#window.name !== name) this.#window = { name, batches: this.#planWindow(epoch, window) };
    return this.#window.batches;
  }

  #planWindow(epoch: number, window: number): number[][] {
    const { batchSize, lengthGroupWindow, seed } = this.#identity;
    const order = sampleOrder({ ...this.#identity, epoch });
    const start = window * lengthGroupWindow * batchSize;
    const count = Math.max(0, Math.min(lengthGroupWindow * batchSize, order.length - start));
    const samples = Array.from({ length: count }, (_, i) => order.at(start + i));
    if (lengthGroupWindow === 1) return batchesOf(samples, batchSize);
    const { rows } = this.#options;
    const tokenCount = (sample: number) => rows.tokenCount(sample);
    return lengthGroups({ samples, tokenCount, batchSize, keys: ["window", seed, epoch, window] });
  }
}

function mismatch(what: string): DataError {
  const message = `the loader's state does not fit: ${what}; restore with the rows and options it was taken with`;
  return new DataError("DATA_STATE_MISMATCH", message);
}

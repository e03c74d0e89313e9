// All requests of one call: in which order they go to the engine, how many at a time, and what comes of them.
import { ModelError } from "../errors.ts";
import { cancelled, throwIfCancelled } from "./cancelled.ts";
import { checkTokenIds } from "./check-token-ids.ts";
import {
  compareRequests,
  groupRequests,
  type IndexedRequest,
  type Loglikelihood,
  type LoglikelihoodRequest,
  runLength,
  Scoring,
} from "./loglikelihood.ts";
import { onAbort } from "./on-abort.ts";
import type { Sequence, WorkSink } from "./sequence.ts";
import { sortInSlices, TimeSlice } from "./time-slice.ts";

/** What requests are held to. */
export interface ScoringBounds {
  readonly vocabSize: number;
  /** Most tokens of one sequence. */
  readonly capacity: number;
  /** Sequences handed over at a time; the rest waits here and holds up nobody else. */
  readonly window: number;
}

/** How continuations are scored. */
export interface ScoreOptions {
  /** Ends the scoring with `TENSOR_CANCELLED`, within one step. */
  readonly signal?: AbortSignal;
  /** Called with the number of requests done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The scores of `requests`, in their order; an empty continuation is certain.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT`; TensorError `TENSOR_CANCELLED`; what its work fails with
 */
export async function scoreContinuations(
  sink: WorkSink,
  requests: readonly LoglikelihoodRequest[],
  options: ScoringBounds & ScoreOptions,
): Promise<Loglikelihood[]> {
  const { signal } = options;
  throwIfCancelled(signal);
  const ordered = await orderRequests(requests, options);
  throwIfCancelled(signal);
  const call = new ScoringCall(sink, ordered, { total: requests.length, onProgress: options.onProgress });
  const stopListening = signal && onAbort(signal, () => call.fail(cancelled(signal)));
  try {
    return await call.run(options.window);
  } finally {
    stopListening?.();
  }
}

/** Hands groups of requests over, a new one for each that is done. */
class ScoringCall {
  readonly #sink: WorkSink;
  readonly #groups: Iterator<IndexedRequest[], void>;
  readonly #results: Loglikelihood[];
  readonly #handedOver = new Set<Sequence>();
  readonly #onProgress: ScoreOptions["onProgress"];
  #done: number;
  #resolve: (results: Loglikelihood[]) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    sink: WorkSink,
    ordered: readonly IndexedRequest[],
    options: { readonly total: number; readonly onProgress: ScoreOptions["onProgress"] },
  ) {
    this.#sink = sink;
    this.#groups = groupRequests(ordered);
    this.#results = Array.from({ length: options.total }, () => ({ logProbNats: 0, isGreedy: true }));
    this.#done = options.total - ordered.length;
    this.#onProgress = options.onProgress;
  }

  run(window: number): Promise<Loglikelihood[]> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      for (let count = 0; count < window; count++) this.#handOver();
    });
  }

  /** Ends the call; what it has handed over is in no step any more. */
  fail(error: unknown): void {
    this.#reject(error);
    for (const sequence of this.#handedOver) this.#sink.remove(sequence);
    this.#handedOver.clear();
  }

  #handOver(): void {
    const { value: group } = this.#groups.next();
    if (group === undefined) {
      if (this.#handedOver.size === 0) this.#resolve(this.#results);
      return;
    }
    const work = new Scoring(group, {
      onScores: (scores) => this.#takeScores(sequence, scores),
      onFail: (error) => this.fail(error),
    });
    const sequence = this.#sink.add(work);
    this.#handedOver.add(sequence);
  }

  #takeScores(sequence: Sequence, scores: ReadonlyMap<number, Loglikelihood>): void {
    for (const [index, score] of scores) this.#results[index] = score;
    this.#done += scores.size;
    this.#handedOver.delete(sequence);
    this.#handOver();
    this.#onProgress?.(this.#done, this.#results.length);
  }
}

/** The requests that need a run, checked and in order; the event loop is left free now and then. */
async function orderRequests(
  requests: readonly LoglikelihoodRequest[],
  bounds: ScoringBounds,
): Promise<IndexedRequest[]> {
  const slice = new TimeSlice();
  const kept: IndexedRequest[] = [];
  for (const [index, request] of requests.entries()) {
    if (slice.isOver) await slice.pause();
    checkRequest(request, bounds);
    if (request.continuationIds.length > 0) kept.push({ index, request });
  }
  return sortInSlices(kept, (a, b) => compareRequests(a.request, b.request));
}

function checkRequest(request: LoglikelihoodRequest, { vocabSize, capacity }: ScoringBounds): void {
  const { contextIds, continuationIds } = request;
  if (contextIds.length === 0) {
    throw new ModelError("MODEL_INVALID_ARGUMENT", "contextIds must hold one token at least");
  }
  checkTokenIds(contextIds, vocabSize, "contextIds");
  checkTokenIds(continuationIds, vocabSize, "continuationIds");
  const length = runLength(request);
  if (length <= capacity) return;
  const message = `context and continuation: ${length} tokens to run, but the cache holds ${capacity}; cut the context or give the cache more memory`;
  throw new ModelError("MODEL_INVALID_ARGUMENT", message, { details: { length, capacity } });
}

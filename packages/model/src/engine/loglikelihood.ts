// Scores of given continuations, as work for the engine: requests that run the same tokens share one sequence. No loop.
import { checkFinite } from "./check-finite.ts";
import type { Work } from "./sequence.ts";
import type { Read, Selection, StepResult } from "./step-model.ts";

/** A continuation to score. */
export interface LoglikelihoodRequest {
  /** One token at least, the beginning of sequence for lack of another. */
  readonly contextIds: readonly number[];
  readonly continuationIds: readonly number[];
  /** Index of the adapter that all tokens go through. Default 0: none. */
  readonly adapter?: number;
}

/** The score of a continuation. */
export interface Loglikelihood {
  /** Sum over the continuation's tokens. */
  readonly logProbNats: number;
  /** Whether every token is the most likely one at its place. */
  readonly isGreedy: boolean;
}

/** A request with its place among all. */
export interface IndexedRequest {
  readonly index: number;
  readonly request: LoglikelihoodRequest;
}

/** Most requests that share a sequence: each takes a place in the step that runs the last token. */
const MOST_SHARING = 64;

/** How many tokens run for a request: the last one of its continuation need not. */
export const runLength = ({ contextIds, continuationIds }: LoglikelihoodRequest): number =>
  contextIds.length + continuationIds.length - 1;

/** The order in which neighbours have most in common, and requests that run the same tokens are neighbours. */
export function compareRequests(a: LoglikelihoodRequest, b: LoglikelihoodRequest): number {
  const byAdapter = (a.adapter ?? 0) - (b.adapter ?? 0);
  if (byAdapter !== 0) return byAdapter;
  const [lengthA, lengthB] = [runLength(a), runLength(b)];
  const end = Math.min(lengthA, lengthB);
  for (let position = 0; position < end; position++) {
    const difference = tokenAt(a, position) - tokenAt(b, position);
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}

/** `requests`, ordered by `compareRequests`, in groups that run the same tokens. */
export function* groupRequests(requests: readonly IndexedRequest[]): Generator<IndexedRequest[]> {
  let group: IndexedRequest[] = [];
  for (const next of requests) {
    const [first] = group;
    const joins = first && group.length < MOST_SHARING && compareRequests(first.request, next.request) === 0;
    if (!joins && group.length > 0) {
      yield group;
      group = [];
    }
    group.push(next);
  }
  if (group.length > 0) yield group;
}

/** What is told of a `Scoring`. */
export interface ScoringHooks {
  /** All scores of the group; called once. */
  onScores(scores: ReadonlyMap<number, Loglikelihood>): void;
  onFail(error: unknown): void;
}

/** A token to be scored, and for whom. */
interface Target {
  readonly index: number;
  readonly position: number;
  readonly token: number;
}

/** The work of scoring one group of requests that run the same tokens. */
export class Scoring implements Work {
  readonly tokens: readonly number[];
  readonly adapter: number;
  readonly #targets: readonly Target[];
  /** Targets scored so far. */
  #done = 0;
  readonly #scores = new Map<number, Loglikelihood>();
  readonly #hooks: ScoringHooks;

  /** @param group continuations of one token at least */
  constructor(group: readonly IndexedRequest[], hooks: ScoringHooks) {
    const { contextIds, continuationIds, adapter = 0 } = group[0]!.request;
    this.tokens = [...contextIds, ...continuationIds.slice(0, -1)];
    this.adapter = adapter;
    this.#targets = group.flatMap(targetsOf).sort((a, b) => a.position - b.position);
    this.#hooks = hooks;
  }

  readPosition(index: number): number | undefined {
    return this.#targets[this.#done + index]?.position;
  }

  reads(start: number, end: number): Read[] {
    const reads: Read[] = [];
    for (let at = this.#done; ; at++) {
      const target = this.#targets[at];
      if (target === undefined || target.position >= end) return reads;
      reads.push({ offset: target.position - start, selection: { ...SCORED, forced: target.token } });
    }
  }

  accept(results: readonly StepResult[]): boolean {
    for (const result of results) {
      checkFinite(result);
      const { logProb, isGreedy } = result;
      const { index } = this.#targets[this.#done++]!;
      const before = this.#scores.get(index) ?? { logProbNats: 0, isGreedy: true };
      this.#scores.set(index, {
        logProbNats: before.logProbNats + logProb,
        isGreedy: before.isGreedy && isGreedy,
      });
    }
    if (this.#done < this.#targets.length) return false;
    this.#hooks.onScores(this.#scores);
    return true;
  }

  fail(error: unknown): void {
    this.#hooks.onFail(error);
  }
}

/** A selection that chooses nothing. */
const SCORED: Selection = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  uniform: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  top: 0,
};

function targetsOf({ index, request }: IndexedRequest): Target[] {
  const first = request.contextIds.length - 1;
  return request.continuationIds.map((token, offset) => ({ index, position: first + offset, token }));
}

function tokenAt({ contextIds, continuationIds }: LoglikelihoodRequest, position: number): number {
  return contextIds[position] ?? continuationIds[position - contextIds.length]!;
}

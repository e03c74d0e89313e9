// In which order and together with what continuations are scored, so that little is computed twice. Token ids only.
import { type BatchLimits, batchByLength } from "./batching.ts";
import { commonLength, compareIds } from "./common-prefix.ts";

/** A continuation to score. */
export interface LoglikelihoodRequest {
  /** One token at least, the beginning of sequence for lack of another. */
  readonly contextIds: readonly number[];
  readonly continuationIds: readonly number[];
}

/** Log-probabilities to read after consecutive tokens of a sequence. */
export interface Reader {
  /** Index of the request. */
  readonly request: number;
  /** Position of the token before the first target. */
  readonly first: number;
  readonly targets: readonly number[];
}

/** A sequence to run, and who reads what from it: requests that differ in their last token alone share one. */
export interface ScoredSequence {
  readonly ids: readonly number[];
  readonly readers: readonly Reader[];
}

/** What is run how. */
export interface ScoringPlan {
  /** Sequences run side by side. */
  readonly batches: readonly (readonly ScoredSequence[])[];
  /** Sequences run one after another, each from where it differs from the one before. */
  readonly chains: readonly (readonly ScoredSequence[])[];
}

/** Rows that go through the output head at once; each costs a vector of the vocabulary's length. */
const MAX_ROWS = 512;

/** Share of a sequence that must be common with its neighbour's beginning to be worth running alone. */
const CHAINED_SHARE = 0.5;

/** The plan for `requests`; those with an empty continuation need no run and are in none. */
export function planScoring(requests: readonly LoglikelihoodRequest[], limits: BatchLimits): ScoringPlan {
  const chains: ScoredSequence[][] = [];
  for (const sequence of shareSequences(requests).sort((a, b) => compareIds(a.ids, b.ids))) {
    const previous = chains.at(-1)?.at(-1);
    const isChained =
      previous && commonLength(previous.ids, sequence.ids) >= CHAINED_SHARE * sequence.ids.length;
    if (isChained) chains.at(-1)!.push(sequence);
    else chains.push([sequence]);
  }
  const alone = chains.filter(({ length }) => length === 1).flat();
  const lengths = alone.map(({ ids }) => ids.length);
  const batches = batchByLength(lengths, limits).map((batch) => batch.map((index) => alone[index]!));
  return { batches: batches.flatMap(splitByRows), chains: chains.filter(({ length }) => length > 1) };
}

function shareSequences(requests: readonly LoglikelihoodRequest[]): ScoredSequence[] {
  const sequences = new Map<string, { ids: readonly number[]; readers: Reader[] }>();
  for (const [request, { contextIds, continuationIds }] of requests.entries()) {
    if (continuationIds.length === 0) continue;
    const ids = [...contextIds, ...continuationIds.slice(0, -1)];
    const key = ids.join();
    const sequence = sequences.get(key) ?? { ids, readers: [] };
    sequences.set(key, sequence);
    sequence.readers.push({ request, first: contextIds.length - 1, targets: continuationIds });
  }
  return [...sequences.values()];
}

function splitByRows(batch: readonly ScoredSequence[]): ScoredSequence[][] {
  const parts: ScoredSequence[][] = [];
  let rows = Infinity;
  for (const sequence of batch) {
    const own = sequence.readers.reduce((sum, { targets }) => sum + targets.length, 0);
    rows += own;
    if (rows > MAX_ROWS) {
      parts.push([]);
      rows = own;
    }
    parts.at(-1)!.push(sequence);
  }
  return parts;
}

// Log-probabilities of given continuations: runs the scoring program as planned and adds up. Knows token ids only.
import type { Device, Executable, FloatDType, Value } from "@flacuna/tensor";
import type { LlamaConfig } from "../config.ts";
import { KvCache } from "../kv-cache.ts";
import type { BatchLimits } from "./batching.ts";
import { commonLength } from "./common-prefix.ts";
import type { RotaryTables } from "./rotary-tables.ts";
import { type LoglikelihoodRequest, planScoring, type ScoredSequence } from "./scoring-plan.ts";
import { integers, lengthArguments, padRight } from "./step-arguments.ts";

/** The score of a continuation. */
export interface Loglikelihood {
  /** Sum over the continuation's tokens. */
  readonly logProbNats: number;
  /** Whether every token is the most likely one at its place. */
  readonly isGreedy: boolean;
}

/** What scoring runs with. */
export interface ScoringParts {
  readonly config: LlamaConfig;
  /** The compiled `scoringProgram` of `config`. */
  readonly executable: Executable;
  readonly rotaryTables: RotaryTables;
  readonly dtype: FloatDType;
  readonly device: Device;
}

/** The scores of `requests`, in their order; an empty continuation is certain. */
export async function scoreContinuations(
  parts: ScoringParts,
  requests: readonly LoglikelihoodRequest[],
  options: BatchLimits & {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((done: number, total: number) => void) | undefined;
  },
): Promise<Loglikelihood[]> {
  const results: Loglikelihood[] = requests.map(() => ({ logProbNats: 0, isGreedy: true }));
  const { batches, chains } = planScoring(requests, options);
  let done = requests.filter(({ continuationIds }) => continuationIds.length === 0).length;
  const take = (scores: ReadonlyMap<number, Loglikelihood>): void => {
    for (const [request, score] of scores) results[request] = score;
    done += scores.size;
    options.onProgress?.(done, requests.length);
  };
  for (const batch of batches) {
    using cache = createCache(parts, batch, batch.length);
    take(await score(parts, cache, { sequences: batch, start: 0, signal: options.signal }));
  }
  for (const chain of chains) {
    using cache = createCache(parts, chain, 1);
    let previous: readonly number[] = [];
    for (const sequence of chain) {
      // The cache still holds the sequence before; what both begin with is not computed again, but for rows to be read.
      const firstRead = Math.min(...sequence.readers.map(({ first }) => first));
      const start = Math.min(commonLength(previous, sequence.ids), firstRead);
      take(await score(parts, cache, { sequences: [sequence], start, signal: options.signal }));
      previous = sequence.ids;
    }
  }
  return results;
}

function createCache(parts: ScoringParts, sequences: readonly ScoredSequence[], batchSize: number): KvCache {
  const capacity = Math.max(...sequences.map(({ ids }) => ids.length));
  return new KvCache(parts.config, { batchSize, capacity, dtype: parts.dtype, device: parts.device });
}

/** Runs the sequences from position `start` on, the cache holding what is before, and adds up what is read. */
async function score(
  { executable, rotaryTables }: ScoringParts,
  cache: KvCache,
  run: {
    readonly sequences: readonly ScoredSequence[];
    readonly start: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Map<number, Loglikelihood>> {
  const { sequences, start, signal } = run;
  const inputIds = padRight(sequences.map(({ ids }) => ids.slice(start)));
  const width = inputIds.shape[1]!;
  const reads = sequences.flatMap(({ readers }, row) =>
    readers.flatMap(({ request, first, targets }) =>
      targets.map((target, offset) => ({ request, row: row * width + first - start + offset, target })),
    ),
  );
  const inputs = {
    inputIds,
    ...lengthArguments(sequences.map(({ ids }) => ids.length)),
    rotary: rotaryTables.atLeast(start + width),
    cache: cache.layers,
  };
  const rows = integers(
    "int64",
    reads.map(({ row }) => row),
  );
  const targets = integers(
    "int64",
    reads.map(({ target }) => target),
  );
  const options = { into: cache.outputs(), ...(signal && { signal }) };
  const outputs = await executable.run([inputs, { rows, targets }], options);
  const { logProbs, isGreedy } = outputs as { readonly logProbs: Value; readonly isGreedy: Value };
  const [nats, greedy] = [await takeNumbers(logProbs), await takeNumbers(isGreedy)];
  const scores = new Map<number, Loglikelihood>();
  for (const [i, { request }] of reads.entries()) {
    const before = scores.get(request) ?? { logProbNats: 0, isGreedy: true };
    const isStillGreedy = before.isGreedy && greedy[i] === 1;
    scores.set(request, { logProbNats: before.logProbNats + nats[i]!, isGreedy: isStillGreedy });
  }
  return scores;
}

/** The contents of a result that is not needed afterwards. */
async function takeNumbers(value: Value): Promise<number[]> {
  try {
    return (await value.toTensor()).toNumbers();
  } finally {
    value.dispose();
  }
}

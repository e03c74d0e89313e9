// Log-probabilities of given continuations, in batches. Knows token ids only.
import { type Device, type Executable, type FloatDType, Tensor, type Value } from "@flacuna/tensor";
import type { LlamaConfig } from "../config.ts";
import { KvCache } from "../kv-cache.ts";
import { type BatchLimits, batchByLength } from "./batching.ts";
import { lengthArguments, padRight } from "./cached-decoder.ts";
import type { RotaryTables } from "./rotary-tables.ts";

/** A continuation to score. */
export interface LoglikelihoodRequest {
  /** One token at least, the beginning of sequence for lack of another. */
  readonly contextIds: readonly number[];
  readonly continuationIds: readonly number[];
}

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

/** A sequence to run, and who reads what from it: requests that differ in their last token alone share one. */
interface Sequence {
  readonly ids: readonly number[];
  readonly readers: {
    readonly request: number;
    readonly first: number;
    readonly targets: readonly number[];
  }[];
}

/** The scores of `requests`, in their order. */
export async function scoreContinuations(
  parts: ScoringParts,
  requests: readonly LoglikelihoodRequest[],
  options: BatchLimits & {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((done: number, total: number) => void) | undefined;
  },
): Promise<Loglikelihood[]> {
  const results: Loglikelihood[] = requests.map(() => ({ logProbNats: 0, isGreedy: true }));
  const sequences = shareSequences(requests);
  let done = requests.filter(({ continuationIds }) => continuationIds.length === 0).length;
  for (const batch of batchByLength(
    sequences.map(({ ids }) => ids.length),
    options,
  )) {
    const members = batch.map((index) => sequences[index]!);
    const scores = await scoreBatch(parts, members, options.signal);
    for (const [request, score] of scores) results[request] = score;
    done += scores.size;
    options.onProgress?.(done, requests.length);
  }
  return results;
}

function shareSequences(requests: readonly LoglikelihoodRequest[]): Sequence[] {
  const sequences = new Map<string, Sequence>();
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

async function scoreBatch(
  { config, executable, rotaryTables, dtype, device }: ScoringParts,
  sequences: readonly Sequence[],
  signal: AbortSignal | undefined,
): Promise<Map<number, Loglikelihood>> {
  const inputIds = padRight(sequences.map(({ ids }) => ids));
  const [batchSize, width] = inputIds.shape as [number, number];
  const reads = sequences.flatMap(({ readers }, row) =>
    readers.flatMap(({ request, first, targets }) =>
      targets.map((target, offset) => ({ request, row: row * width + first + offset, target })),
    ),
  );
  using cache = new KvCache(config, { batchSize, capacity: width, dtype, device });
  const inputs = {
    inputIds,
    ...lengthArguments(sequences.map(({ ids }) => ids.length)),
    rotary: rotaryTables.atLeast(width),
    cache: cache.layers,
  };
  const N = [reads.length];
  const wanted = {
    rows: Tensor.fromArray(
      "int64",
      N,
      reads.map(({ row }) => row),
    ),
    targets: Tensor.fromArray(
      "int64",
      N,
      reads.map(({ target }) => target),
    ),
  };
  const result = await executable.run([inputs, wanted], { into: cache.outputs(), ...(signal && { signal }) });
  const { logProbs, isGreedy } = result as { readonly logProbs: Value; readonly isGreedy: Value };
  using _logProbs = logProbs;
  using _isGreedy = isGreedy;
  const nats = (await logProbs.toTensor()).toNumbers();
  const greedy = (await isGreedy.toTensor()).toNumbers();
  const scores = new Map<number, Loglikelihood>();
  for (const [i, { request }] of reads.entries()) {
    const before = scores.get(request) ?? { logProbNats: 0, isGreedy: true };
    scores.set(request, {
      logProbNats: before.logProbNats + nats[i]!,
      isGreedy: before.isGreedy && greedy[i] === 1,
    });
  }
  return scores;
}

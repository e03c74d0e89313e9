// A compiled next-token program with its cache as a `NextTokenModel`: one run per step, the cache written in place.
import type { Device, Executable, FloatDType, Value } from "@flacuna/tensor";
import type { LlamaConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import { KvCache } from "../kv-cache.ts";
import { planSuffixes } from "./common-prefix.ts";
import type { DecodingBatch, NextTokenModel } from "./next-token-model.ts";
import type { RotaryTables } from "./rotary-tables.ts";
import { lengthArguments, padRight } from "./step-arguments.ts";

/** What a decoder is made of. */
export interface CachedDecoderParts {
  readonly config: LlamaConfig;
  /** The compiled `nextTokenProgram` of `config`. */
  readonly executable: Executable;
  readonly rotaryTables: RotaryTables;
  readonly dtype: FloatDType;
  readonly device: Device;
}

/** Decoding over a cache. The parts stay their owner's. */
export function createCachedDecoder(parts: CachedDecoderParts): NextTokenModel {
  return {
    async start(prompts, { capacity, signal }) {
      const { config, dtype, device } = parts;
      const cache = new KvCache(config, { batchSize: prompts.length, capacity, dtype, device });
      try {
        const logits =
          sharesMuch(prompts) && device === "cpu"
            ? await readBySuffixes(parts, cache, { prompts, signal })
            : await readTogether(parts, cache, { prompts, signal });
        const lengths = prompts.map(({ length }) => length);
        return new CachedBatch(parts, { cache, capacity, lengths, logits });
      } catch (error) {
        cache.dispose();
        throw error;
      }
    },
  };
}

class CachedBatch implements DecodingBatch {
  readonly #parts: CachedDecoderParts;
  readonly #cache: KvCache;
  readonly #capacity: number;
  /** Tokens of each sequence in the cache. */
  #lengths: readonly number[];
  /** [B, V] */
  #logits: Float32Array;

  constructor(
    parts: CachedDecoderParts,
    state: {
      readonly cache: KvCache;
      readonly capacity: number;
      readonly lengths: readonly number[];
      readonly logits: Float32Array;
    },
  ) {
    this.#parts = parts;
    this.#cache = state.cache;
    this.#capacity = state.capacity;
    this.#lengths = state.lengths;
    this.#logits = state.logits;
  }

  logitsOf(row: number): Float32Array {
    const { vocabSize } = this.#parts.config;
    return this.#logits.subarray(row * vocabSize, (row + 1) * vocabSize);
  }

  async step(
    tokens: readonly number[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const lengths = this.#lengths.map((length) => length + 1);
    if (Math.max(...lengths) > this.#capacity) {
      throw new ModelError(
        "MODEL_INVALID_ARGUMENT",
        `step: the cache holds ${this.#capacity} tokens and is full`,
      );
    }
    const sequences = tokens.map((token) => [token]);
    this.#logits = await run(this.#parts, this.#cache, { sequences, lengths, signal: options.signal });
    this.#lengths = lengths;
  }

  dispose(): void {
    this.#cache.dispose();
  }
}

/** Prompts to read, and how to stop. */
interface Reading {
  readonly prompts: readonly (readonly number[])[];
  readonly signal: AbortSignal | undefined;
}

/** Reads the prompts side by side, padded. */
function readTogether(
  parts: CachedDecoderParts,
  cache: KvCache,
  { prompts, signal }: Reading,
): Promise<Float32Array> {
  const lengths = prompts.map(({ length }) => length);
  return run(parts, cache, { sequences: prompts, lengths, signal });
}

/**
 * Reads the prompts one after another in a cache of their own, each from where it differs from the one before, and
 * copies what it computed: few-shot prompts share most of their tokens.
 */
async function readBySuffixes(
  parts: CachedDecoderParts,
  cache: KvCache,
  { prompts, signal }: Reading,
): Promise<Float32Array> {
  const { config, dtype, device } = parts;
  const capacity = Math.max(...prompts.map(({ length }) => length));
  using scratch = new KvCache(config, { batchSize: 1, capacity, dtype, device });
  const logits = new Float32Array(prompts.length * config.vocabSize);
  for (const { index, start } of planSuffixes(prompts)) {
    const ids = prompts[index]!;
    const row = await run(parts, scratch, { sequences: [ids.slice(start)], lengths: [ids.length], signal });
    logits.set(row, index * config.vocabSize);
    await cache.copyRow(index, scratch, ids.length);
  }
  return logits;
}

/** True when at least half of the prompts' tokens need not be computed, one prompt after another. */
function sharesMuch(prompts: readonly (readonly number[])[]): boolean {
  if (prompts.length === 1) return false;
  const shared = planSuffixes(prompts).reduce((sum, { start }) => sum + start, 0);
  return 2 * shared >= prompts.reduce((sum, { length }) => sum + length, 0);
}

/** Appends `sequences` to the cache, which then holds `lengths` tokens of each; returns the logits [B, V]. */
async function run(
  { executable, rotaryTables }: CachedDecoderParts,
  cache: KvCache,
  step: {
    readonly sequences: readonly (readonly number[])[];
    readonly lengths: readonly number[];
    readonly signal: AbortSignal | undefined;
  },
): Promise<Float32Array> {
  const { sequences, lengths, signal } = step;
  const inputs = {
    inputIds: padRight(sequences),
    ...lengthArguments(lengths),
    rotary: rotaryTables.atLeast(Math.max(...lengths)),
    cache: cache.layers,
  };
  const options = { into: cache.outputs(), ...(signal && { signal }) };
  const { logits } = (await executable.run([inputs], options)) as { readonly logits: Value };
  try {
    return (await logits.toTensor()).data as Float32Array;
  } finally {
    logits.dispose();
  }
}

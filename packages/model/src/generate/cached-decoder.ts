// A compiled next-token program with its cache as a `NextTokenModel`: one run per step, the cache written in place.
import { type Device, type Executable, type FloatDType, Tensor, type Value } from "@flacuna/tensor";
import type { LlamaConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import { KvCache } from "../kv-cache.ts";
import type { Rotary } from "../layers/rotary.ts";
import type { DecodingBatch, NextTokenModel } from "./next-token-model.ts";
import type { RotaryTables } from "./rotary-tables.ts";

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
      const { config, rotaryTables, dtype, device } = parts;
      const rotary = rotaryTables.atLeast(capacity);
      const cache = new KvCache(config, { batchSize: prompts.length, capacity, dtype, device });
      try {
        const batch = new CachedBatch(parts, { prompts, capacity, cache, rotary });
        await batch.run(padRight(prompts), signal);
        return batch;
      } catch (error) {
        cache.dispose();
        throw error;
      }
    },
  };
}

/** [B, T] int64: the sequences padded on the right to the longest. */
export function padRight(sequences: readonly (readonly number[])[]): Tensor<"int64"> {
  const width = Math.max(...sequences.map(({ length }) => length));
  const data = new BigInt64Array(sequences.length * width);
  for (const [row, ids] of sequences.entries()) {
    for (const [column, id] of ids.entries()) data[row * width + column] = BigInt(id);
  }
  return new Tensor("int64", [sequences.length, width], data);
}

/** The arguments that tell a program how long its sequences are. */
export function lengthArguments(lengths: readonly number[]) {
  return {
    lastPosition: Tensor.fromArray(
      "int32",
      [lengths.length],
      lengths.map((length) => length - 1),
    ),
    totalLength: Tensor.fromArray("int32", [], [Math.max(...lengths)]),
  };
}

class CachedBatch implements DecodingBatch {
  readonly #parts: CachedDecoderParts;
  readonly #cache: KvCache;
  readonly #rotary: Rotary<Value>;
  readonly #capacity: number;
  /** Tokens of each sequence in the cache. */
  #lengths: number[];
  #logits = new Float32Array();

  constructor(
    parts: CachedDecoderParts,
    state: {
      readonly prompts: readonly (readonly number[])[];
      readonly capacity: number;
      readonly cache: KvCache;
      readonly rotary: Rotary<Value>;
    },
  ) {
    this.#parts = parts;
    this.#cache = state.cache;
    this.#rotary = state.rotary;
    this.#capacity = state.capacity;
    this.#lengths = state.prompts.map(({ length }) => length);
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
    this.#lengths = lengths;
    await this.run(padRight(tokens.map((token) => [token])), options.signal);
  }

  /** Feeds tokens that `#lengths` counts already. */
  async run(inputIds: Tensor, signal: AbortSignal | undefined): Promise<void> {
    const { executable } = this.#parts;
    const inputs = {
      inputIds,
      ...lengthArguments(this.#lengths),
      rotary: this.#rotary,
      cache: this.#cache.layers,
    };
    const options = { into: this.#cache.outputs(), ...(signal && { signal }) };
    const { logits } = (await executable.run([inputs], options)) as { readonly logits: Value };
    try {
      this.#logits = (await logits.toTensor()).data as Float32Array<ArrayBuffer>;
    } finally {
      logits.dispose();
    }
  }

  dispose(): void {
    this.#cache.dispose();
  }
}

// The key/value cache of a batch as device values: allocation, freeing, copying rows, and the outputs it is written through.
import { type Device, type FloatDType, type Tensor, Value } from "@flacuna/tensor";
import type { LlamaConfig } from "./config.ts";
import { cacheShape, type LayerCache } from "./llama.ts";

/** How large a cache is and where it lies. */
export interface KvCacheOptions {
  readonly batchSize: number;
  /** S, the tokens the longest sequence may grow to. */
  readonly capacity: number;
  readonly dtype: FloatDType;
  readonly device: Device;
}

/** Keys and values of every layer, [B, K, S, D] each; dispose it when done. */
export class KvCache implements Disposable {
  readonly layers: readonly LayerCache<Value>[];

  /** @throws TensorError `TENSOR_OUT_OF_MEMORY` */
  constructor(config: LlamaConfig, { batchSize, capacity, dtype, device }: KvCacheOptions) {
    const shape = cacheShape(config, batchSize, capacity) as readonly number[];
    const values: Value[] = [];
    try {
      for (let n = 0; n < 2 * config.numHiddenLayers; n++) values.push(Value.allocate(dtype, shape, device));
    } catch (error) {
      for (const value of values) value.dispose();
      throw error;
    }
    this.layers = Array.from({ length: config.numHiddenLayers }, (_, layer) => ({
      key: values[2 * layer]!,
      value: values[2 * layer + 1]!,
    }));
  }

  /** Where a run writes the outputs `cache.<layer>.key` and `cache.<layer>.value`: over its arguments. */
  outputs(): Map<string, Value> {
    return new Map(
      this.layers.flatMap(({ key, value }, layer) => [
        [`cache.${layer}.key`, key],
        [`cache.${layer}.value`, value],
      ]),
    );
  }

  /**
   * Makes the first `length` tokens of sequence `row` those of the only sequence of `source`. On "cpu" only, where a
   * value shares its memory with the host.
   */
  async copyRow(row: number, source: KvCache, length: number): Promise<void> {
    for (const [layer, { key, value }] of this.layers.entries()) {
      const from = source.layers[layer]!;
      copyTokens(await shared(from.key), await shared(key), { row, length });
      copyTokens(await shared(from.value), await shared(value), { row, length });
    }
  }

  dispose(): void {
    for (const { key, value } of this.layers) {
      key.dispose();
      value.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const shared = (value: Value): Promise<Tensor> => value.toTensor({ copy: false });

/** [1, K, S₁, D] to row `row` of [B, K, S, D], the first `length` tokens of every head. */
function copyTokens(
  source: Tensor,
  target: Tensor,
  { row, length }: { readonly row: number; readonly length: number },
): void {
  const [, K, from, D] = source.shape as [number, number, number, number];
  const to = target.shape[2]!;
  for (let head = 0; head < K; head++) {
    const tokens = source.data.subarray(head * from * D, (head * from + length) * D) as Float32Array;
    (target.data as Float32Array).set(tokens, (row * K + head) * to * D);
  }
}

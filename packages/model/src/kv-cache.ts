// The key/value cache of a batch as device values: allocation, freeing, and the outputs it is written through.
import { type Device, type FloatDType, Value } from "@flacuna/tensor";
import type { LlamaConfig } from "./config.ts";
import { cacheShape, type LayerCache } from "./llama.ts";

/** Keys and values of every layer, [B, K, S, D] each; dispose it when done. */
export class KvCache implements Disposable {
  readonly layers: readonly LayerCache<Value>[];

  /** @throws TensorError `TENSOR_OUT_OF_MEMORY` */
  constructor(
    config: LlamaConfig,
    options: {
      readonly batchSize: number;
      /** S, the tokens the longest sequence may grow to */
      readonly capacity: number;
      readonly dtype: FloatDType;
      readonly device: Device;
    },
  ) {
    const { batchSize, capacity, dtype, device } = options;
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

// The keys and values of all sequences as device values in pages, written in place. Knows no sequence.
import { totalmem } from "node:os";
import {
  type Device,
  type Dim,
  DTYPES,
  type Pages,
  pageSpecs,
  type TensorSpec,
  Value,
} from "@flacuna/tensor";
import type { LlamaConfig } from "../config.ts";
import { ModelError } from "../errors.ts";

/** What keys and values are kept in: integers where native kernels read them, floats of 16 bits elsewhere. */
export type PoolDType = "float32" | "float16" | "int16";

/** How large a pool is and where it lies. */
export interface PagePoolOptions {
  readonly pageCount: number;
  /** Positions in a page, a multiple of 16. */
  readonly pageSize: number;
  readonly dtype: PoolDType;
  readonly device: Device;
}

/** Unless more is asked for: two dozen conversations of the length of most models, or one very long one. */
const DEFAULT_TOKENS = 65_536;

/**
 * How many pages hold `tokens`; by default 65,536, or as many as fit a quarter of the memory, if these are fewer.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT`
 */
export function pagesFor(
  config: LlamaConfig,
  options: { readonly dtype: PoolDType; readonly pageSize: number; readonly tokens: number | undefined },
): number {
  const { dtype, pageSize, tokens } = options;
  if (tokens !== undefined && !(Number.isSafeInteger(tokens) && tokens >= 1)) {
    throw new ModelError("MODEL_INVALID_ARGUMENT", `cacheTokens must be a positive integer, got ${tokens}`);
  }
  const fitting = Math.floor(memoryBytes() / 4 / tokenBytes(config, { dtype, pageSize }));
  return Math.ceil((tokens ?? Math.max(pageSize, Math.min(DEFAULT_TOKENS, fitting))) / pageSize);
}

/** The machine's memory, or what this process may have of it. */
function memoryBytes(): number {
  const allowed = process.constrainedMemory();
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem();
}

/** Bytes that the keys and values of one token take, in all layers. */
function tokenBytes(
  config: LlamaConfig,
  page: { readonly dtype: PoolDType; readonly pageSize: number },
): number {
  const specs = Object.values(layerSpecs(config, { ...page, pages: 1 })) as TensorSpec[];
  const ofPage = specs.map(
    ({ dtype, shape }) => DTYPES[dtype].byteWidth * (shape as number[]).reduce((a, b) => a * b),
  );
  return (config.numHiddenLayers * ofPage.reduce((a, b) => a + b)) / page.pageSize;
}

/** What a layer's pages are made of, by what they are kept in. */
export function layerSpecs(
  { numKeyValueHeads, headDim }: LlamaConfig,
  { dtype, pages, pageSize }: { readonly dtype: PoolDType; readonly pages: Dim; readonly pageSize: number },
): Pages<TensorSpec> {
  return pageSpecs(dtype, { pages, pageSize, keyValueHeads: numKeyValueHeads, headSize: headDim });
}

/** Pages of every layer; on "cpu" the system gives the memory of a page when it is first written. Dispose it when done. */
export class PagePool implements Disposable {
  readonly pageCount: number;
  readonly pageSize: number;
  readonly layers: readonly Pages<Value>[];

  /** @throws TensorError `TENSOR_OUT_OF_MEMORY` */
  constructor(config: LlamaConfig, { pageCount, pageSize, dtype, device }: PagePoolOptions) {
    this.pageCount = pageCount;
    this.pageSize = pageSize;
    const specs = Object.entries(layerSpecs(config, { dtype, pages: pageCount, pageSize }));
    const values: Value[] = [];
    const allocate = ({ dtype, shape }: TensorSpec): Value => {
      const value = Value.allocate(dtype, shape as readonly number[], device);
      values.push(value);
      return value;
    };
    try {
      this.layers = Array.from(
        { length: config.numHiddenLayers },
        () =>
          Object.fromEntries(specs.map(([name, each]) => [name, allocate(each)])) as unknown as Pages<Value>,
      );
    } catch (error) {
      for (const value of values) value.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const layer of this.layers) for (const value of Object.values(layer)) value.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

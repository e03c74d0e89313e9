// A checkpoint's weights with what they are converted to for a precision, kept in a file from one load to the next.
import { join } from "node:path";
import { type StoredWeight, type Tensor, type WeightSource, withParts } from "@flacuna/tensor";
import type { CheckpointWeights } from "./checkpoint.ts";
import { contentHash } from "./content-hash.ts";
import { cacheFolder, type KeptWeights, keep, openKept } from "./weight-cache.ts";

/** Rises when the same weights are converted to other bytes than before, or kept in another way. */
const VERSION = 2;

/** Files that this process is writing: two models of one checkpoint make the same. */
const underWay = new Set<string>();

/** A source of weights that keeps what they are converted to. */
export interface ConvertedWeights {
  readonly weights: WeightSource;
  /** Writes what has been converted, unless it is kept already; rejects when that cannot be. */
  save(): Promise<void>;
}

/**
 * `weights` with their converted forms: read from the cache where it has them, else made and noted for `save`.
 *
 * @param paths the parameters' names
 * @param form tells files with different forms of the same weights apart
 */
export async function convertedWeights(
  weights: CheckpointWeights,
  { paths, form }: { readonly paths: readonly string[]; readonly form: string },
): Promise<ConvertedWeights> {
  const folder = cacheFolder();
  const files = new Set(paths.flatMap((path) => weights.get(path)?.file.path ?? []));
  const hash = await contentHash([...files], folder).catch(() => undefined);
  if (hash === undefined) return { weights: withParts(weights), save: async () => undefined };
  const path = join(folder, `${hash}.${form}.v${VERSION}.safetensors`);
  const kept = await openKept(path);
  const converted = withParts(weights);
  const made = new Map<string, Tensor>();
  return {
    weights: {
      get(name) {
        const own = weights.get(name);
        if (own !== undefined) return own;
        const fresh = converted.get(name);
        return (kept && fresh && keptWeight(kept, name, fresh)) ?? noting(fresh, name, made);
      },
    },
    async save() {
      const tensors = new Map(made);
      made.clear();
      if (tensors.size === 0 || kept !== undefined || underWay.has(path)) return;
      underWay.add(path);
      try {
        await keep(path, tensors);
      } finally {
        underWay.delete(path);
      }
    },
  };
}

function keptWeight(kept: KeptWeights, name: string, fresh: StoredWeight): StoredWeight | undefined {
  const entry = kept.tensors.get(name);
  if (entry === undefined) return undefined;
  const { dtype, shape } = entry;
  return { dtype, shape, read: async () => (await kept.read(name)) ?? fresh.read() };
}

function noting(
  stored: StoredWeight | undefined,
  name: string,
  made: Map<string, Tensor>,
): StoredWeight | undefined {
  if (stored === undefined) return undefined;
  const read = async () => {
    const tensor = await stored.read();
    made.set(name, tensor);
    return tensor;
  };
  return { ...stored, read };
}

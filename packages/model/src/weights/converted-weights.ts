// A checkpoint's weights with what they are converted to for a precision, kept in a file from one load to the next.
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type StoredWeight, type Tensor, type WeightSource, withParts } from "@flacuna/tensor";
import type { CheckpointWeights } from "./checkpoint.ts";
import { contentHash } from "./content-hash.ts";
import {
  readSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "./safetensors.ts";

/** Rises when the same weights are converted to other bytes than before. */
const VERSION = 1;

/** Files that this process is writing: two models of one checkpoint make the same. */
const underWay = new Set<string>();

/** Where converted weights are kept: `FLACUNA_CACHE`, or `~/.cache/flacuna`, and there `weights`. */
const cacheFolder = (): string =>
  join(process.env.FLACUNA_CACHE || join(homedir(), ".cache/flacuna"), "weights");

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
  const kept = await readSafetensors(path).catch(() => undefined);
  const converted = withParts(weights);
  const made = new Map<string, Tensor>();
  return {
    weights: {
      get(name) {
        const own = weights.get(name);
        return own ?? (kept && keptWeight(kept, name)) ?? noting(converted.get(name), name, made);
      },
    },
    async save() {
      const tensors = [...made].map(
        ([name, tensor]): TensorToWrite => ({
          name,
          dtype: tensor.dtype,
          shape: tensor.shape,
          read: () => tensor,
        }),
      );
      made.clear();
      if (tensors.length === 0 || kept !== undefined || underWay.has(path)) return;
      underWay.add(path);
      try {
        await mkdir(folder, { recursive: true });
        await writeSafetensors(path, tensors);
      } finally {
        underWay.delete(path);
      }
    },
  };
}

function keptWeight(file: SafetensorsFile, name: string): StoredWeight | undefined {
  const entry = file.tensors.get(name);
  return entry && { dtype: entry.dtype, shape: entry.shape, read: () => file.read(name) };
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

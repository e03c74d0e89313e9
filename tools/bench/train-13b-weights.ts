// Random weights of a model's shape, in the form that a precision holds them in: written to a folder of safetensors files,
// one per layer, and read back one tensor at a time.
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { int8ByPath } from "@flacuna/lora";
import { type LlamaConfig, llamaParameterShapes, readSafetensors, writeSafetensors } from "@flacuna/model";
import {
  DTYPES,
  deriveSeed,
  elementCount,
  type Form,
  type PrecisionChoice,
  Tensor,
  type WeightPart,
  type WeightSource,
  weightParts,
  withParts,
} from "@flacuna/tensor";

/** The precisions whose weights are a fraction of float32's. */
export type SmallPrecision = "int8" | "int4" | "bfloat16";

const SEED = 13;

/** Standard deviation of the weights, as LLaMA's are initialised. */
const DEVIATION = 0.02;

/** The files that the parameters of a model are in, by parameter: one per layer, one for the rest. */
const fileOf = (path: string): string => {
  const layer = /^model\.layers\.(\d+)\./.exec(path)?.[1];
  return layer === undefined ? "rest.safetensors" : `layer-${layer}.safetensors`;
};

/**
 * Writes the weights that are not there yet; no more than one layer is in memory. A model of fewer layers finds its files
 * among those of the whole one.
 */
export async function writeRandomWeights(
  folder: string,
  config: LlamaConfig,
  precision: SmallPrecision,
  log: (line: string) => void = () => undefined,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const shapes = [...llamaParameterShapes(config)];
  for (const name of new Set(shapes.map(([path]) => fileOf(path)))) {
    const parameters = shapes.filter(([path]) => fileOf(path) === name);
    const target = join(folder, name);
    const parts = parameters.flatMap(([path, shape]) => partsOf(path, shape, precision, config));
    if (await holdsAll(target, parts)) continue;
    log(`writing ${target}`);
    const source = withParts(randomWeights(new Map(parameters)));
    await writeSafetensors(
      target,
      parts.map(({ path, ...part }) => ({ name: path, ...part, read: () => source.get(path)!.read() })),
    );
  }
}

async function holdsAll(path: string, parts: readonly WeightPart[]): Promise<boolean> {
  if (!existsSync(path)) return false;
  const { tensors } = await readSafetensors(path);
  return parts.every((part) => tensors.get(part.path)?.shape.join() === part.shape.join());
}

/** The weights that were written for a model, read when they are asked for; nothing is kept. */
export async function readRandomWeights(folder: string, config: LlamaConfig): Promise<WeightSource> {
  const names = new Set([...llamaParameterShapes(config).keys()].map(fileOf));
  const files = await Promise.all(
    [...names].map((name) => readSafetensors(join(folder, name), { isMapped: true })),
  );
  const byPath = new Map(
    files.flatMap((file) => [...file.tensors.keys()].map((path) => [path, file] as const)),
  );
  return {
    get(path) {
      const file = byPath.get(path);
      const entry = file?.tensors.get(path);
      return entry && { dtype: entry.dtype, shape: entry.shape, read: () => file!.read(path) };
    },
  };
}

/** Bytes of the weights that a model of this precision holds. */
export function weightBytes(config: LlamaConfig, precision: SmallPrecision): number {
  const parts = [...llamaParameterShapes(config)].flatMap(([path, shape]) =>
    partsOf(path, shape, precision, config),
  );
  return parts.reduce((total, { dtype, shape }) => total + elementCount(shape) * DTYPES[dtype].byteWidth, 0);
}

/** What a parameter is held as, which is what `createAdapterTrainer` looks for. */
function partsOf(
  path: string,
  shape: readonly number[],
  precision: SmallPrecision,
  config: LlamaConfig,
): WeightPart[] {
  if (shape.length === 1) return [{ path, dtype: "float32", shape }];
  const size = shape as readonly [number, number];
  return formsOf(path, precision, config).flatMap((form) => weightParts(path, form, size));
}

function formsOf(path: string, precision: SmallPrecision, config: LlamaConfig): Form[] {
  if (path === "model.embed_tokens.weight") return ["float16"];
  if (precision !== "int8") return [precision];
  const uses = ["linear", "transposed"] as const;
  const choices = new Set<PrecisionChoice>(uses.map((use) => int8ByPath(config)(path, use)));
  return (["int8", "bfloat16"] as const).filter(
    (form) => choices.has(form) || (form === "int8" && choices.has("int8Blockwise")),
  );
}

/** Parameters in float32, made when they are read: norms of ones, matrices with elements uniform about 0. */
function randomWeights(shapes: ReadonlyMap<string, readonly number[]>): WeightSource {
  return {
    get(path) {
      const shape = shapes.get(path);
      if (shape === undefined) return undefined;
      const read = async () => new Tensor("float32", shape, randomValues(path, shape));
      return { dtype: "float32", shape, read };
    },
  };
}

function randomValues(path: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const values = new Float32Array(elementCount(shape));
  if (shape.length === 1) return values.fill(1);
  // Marsaglia's xorshift: thousands of millions of values, of which nothing is asked but that no two rows are alike.
  let state = deriveSeed(SEED, path) | 1;
  const scale = (DEVIATION * Math.sqrt(3)) / 2 ** 31;
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = state * scale;
  }
  return values;
}

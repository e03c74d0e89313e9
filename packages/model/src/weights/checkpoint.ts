// A Hugging Face checkpoint folder as configuration and weights: which files, which parameters, in both directions.
// Knows the names and shapes a model needs; the byte format is in safetensors.ts.
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DType, Tensor } from "@flacuna/tensor";
import { formatLlamaConfig, type LlamaConfig, llamaParameterShapes, parseLlamaConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import { readJsonObject } from "../read-json.ts";
import { checkAgreement } from "./agreement.ts";
import {
  readSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "./safetensors.ts";

/** One parameter that lies in a file; satisfies `@flacuna/tensor`'s `WeightSource`. */
export interface CheckpointWeight {
  /** As stored, not as computed with. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Where the bytes lie, for whoever maps them. */
  readonly file: { readonly path: string; readonly offset: number; readonly length: number };
  /** The parameter, read now. */
  read(): Promise<Tensor>;
}

/** The parameters of a checkpoint by their own names. */
export interface CheckpointWeights {
  get(path: string): CheckpointWeight | undefined;
}

/** A checkpoint whose parameters are known to be complete and of the right shapes. */
export interface Checkpoint {
  readonly config: LlamaConfig;
  readonly weights: CheckpointWeights;
  /** Names of the parameters, in execution order. */
  readonly paths: readonly string[];
}

/**
 * Opens the checkpoint in `folder` (`config.json` with `model.safetensors`, or with the shards named in
 * `model.safetensors.index.json`) and checks every name and shape. Reads headers only.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE`, `MODEL_CONFIG_INVALID`, `MODEL_UNSUPPORTED` (also for pickle files),
 * `MODEL_SAFETENSORS_INVALID`, or `MODEL_CHECKPOINT_MISMATCH` with all that is wrong in `details`
 */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const json = await readJsonObject(join(folder, "config.json"), "MODEL_CONFIG_INVALID");
  if (json === undefined) {
    throw new ModelError(
      "MODEL_FILE_UNREADABLE",
      `${folder} has no config.json; is it a checkpoint folder?`,
      {
        details: { folder },
      },
    );
  }
  const config = parseLlamaConfig(json);
  const found = await openTensors(folder);
  const shapes = llamaParameterShapes(config);
  checkAgreement(folder, config, found);
  return {
    config,
    paths: [...shapes.keys()],
    weights: { get: (path) => (shapes.has(path) ? found.get(path) : undefined) },
  };
}

/**
 * Writes a checkpoint that transformers can read: `config.json` and one `model.safetensors`. Tensors are produced and
 * written one at a time; the tokenizer's files are the caller's to copy.
 *
 * @param tensors every parameter of `config`, by the checkpoint's names, in any order
 * @throws ModelError `MODEL_CHECKPOINT_MISMATCH` before anything is written when `tensors` are not those of `config`
 */
export async function writeCheckpoint(
  folder: string,
  config: LlamaConfig,
  tensors: Iterable<TensorToWrite>,
): Promise<void> {
  const list = [...tensors];
  const byName = new Map(list.map((item) => [item.name, item]));
  checkAgreement(folder, config, byName);
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, "model.safetensors"), list, { metadata: { format: "pt" } });
  const dtype = byName.get("model.embed_tokens.weight")!.dtype;
  const json = `${JSON.stringify(formatLlamaConfig(config, dtype), null, 2)}\n`;
  const partial = join(folder, `config.json.${process.pid}.partial`);
  await writeFile(partial, json, { flush: true });
  await rename(partial, join(folder, "config.json"));
}

async function openTensors(folder: string): Promise<ReadonlyMap<string, CheckpointWeight>> {
  const index = await readJsonObject(
    join(folder, "model.safetensors.index.json"),
    "MODEL_SAFETENSORS_INVALID",
  );
  const names = index === undefined ? await singleFile(folder) : shardNames(folder, index);
  const found = new Map<string, CheckpointWeight>();
  for (const name of names) {
    const file = await readSafetensors(join(folder, name));
    for (const path of file.tensors.keys()) found.set(path, checkpointWeight(file, path));
  }
  return found;
}

function checkpointWeight(file: SafetensorsFile, path: string): CheckpointWeight {
  const { dtype, shape, offset, length } = file.tensors.get(path)!;
  return { dtype, shape, file: { path: file.path, offset, length }, read: () => file.read(path) };
}

function shardNames(folder: string, index: Record<string, unknown>): readonly string[] {
  const names = new Set(Object.values(index.weight_map ?? {}));
  for (const name of names) {
    // A name with a separator could point anywhere on this machine.
    if (typeof name === "string" && /^[\w.-]+\.safetensors$/.test(name)) continue;
    throw new ModelError(
      "MODEL_SAFETENSORS_INVALID",
      `${folder}: model.safetensors.index.json names ${JSON.stringify(name)?.slice(0, 80)}, which is not a file name ending in .safetensors`,
    );
  }
  return [...names] as string[];
}

async function singleFile(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  if (names.includes("model.safetensors")) return ["model.safetensors"];
  if (names.some((name) => /^(pytorch_model|consolidated).*\.(bin|pth)$/.test(name))) {
    throw new ModelError(
      "MODEL_UNSUPPORTED",
      `${folder} holds its weights as a Python pickle, which can run any code when it is read; convert it with ` +
        `transformers: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(out, safe_serialization=True)`,
      { details: { folder } },
    );
  }
  throw new ModelError(
    "MODEL_FILE_UNREADABLE",
    `${folder} has no model.safetensors and no model.safetensors.index.json`,
    {
      details: { folder },
    },
  );
}

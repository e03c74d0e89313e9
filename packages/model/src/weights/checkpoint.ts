// A checkpoint as configuration and weights: which files, which parameters, in both directions. Knows Hugging Face's
// folders and the names and shapes a model needs; the byte formats are in safetensors.ts and gguf.ts.
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DType, StoredBlocks, Tensor } from "@flacuna/tensor";
import { formatLlamaConfig, type LlamaConfig, llamaParameterShapes, parseLlamaConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import { readJsonObject } from "../read-json.ts";
import { checkAgreement } from "./agreement.ts";
import { findGguf } from "./find-gguf.ts";
import { readGgufCheckpoint } from "./gguf-checkpoint.ts";
import {
  readSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "./safetensors.ts";

/** One parameter that lies in a file; satisfies `@flacuna/tensor`'s `WeightSource`. */
export interface CheckpointWeight {
  /** As `read` gives it, not as computed with: of safetensors the stored type, of GGUF float32. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Where the stored bytes lie. Of GGUF they are blocks, and rows of queries and keys in the order of that format. */
  readonly file: { readonly path: string; readonly offset: number; readonly length: number };
  /** The blocks of 4 bits that the parameter is stored in, where it is. */
  readonly blocks?: StoredBlocks;
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
 * Opens the checkpoint at `path` and checks every name and shape: a folder (`config.json` with `model.safetensors`, or
 * with the shards named in `model.safetensors.index.json`; else its one GGUF file) or a GGUF file. Reads headers only:
 * parameters of safetensors are the files' own pages, which processes share, so replace such files and never rewrite them.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE`, `MODEL_CONFIG_INVALID`, `MODEL_UNSUPPORTED` (also for pickle files),
 * `MODEL_SAFETENSORS_INVALID`, `MODEL_GGUF_INVALID`, `MODEL_INVALID_ARGUMENT` for a folder of several GGUF files, or
 * `MODEL_CHECKPOINT_MISMATCH` with all that is wrong in `details`
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const gguf = await findGguf(path);
  return gguf === undefined ? readFolder(path) : readGgufCheckpoint(gguf);
}

async function readFolder(folder: string): Promise<Checkpoint> {
  await refusePickles(folder);
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
    const file = await readSafetensors(join(folder, name), { isMapped: true });
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
  throw new ModelError(
    "MODEL_FILE_UNREADABLE",
    `${folder} has no model.safetensors and no model.safetensors.index.json`,
    {
      details: { folder },
    },
  );
}

const SAFETENSORS = /\.safetensors(\.index\.json)?$/;
const PICKLE = /\.(bin|pt|pth|ckpt|pkl)$/;

/** Says what to do about a folder whose weights are pickles, Meta's own distribution of LLaMA among them. */
async function refusePickles(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  const pickle = names.find((name) => PICKLE.test(name));
  if (pickle === undefined || names.some((name) => SAFETENSORS.test(name))) return;
  const how = names.includes("params.json")
    ? "convert_llama_weights_to_hf.py of transformers"
    : "transformers: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(out, safe_serialization=True)";
  throw new ModelError(
    "MODEL_UNSUPPORTED",
    `${folder} holds its weights as Python pickles (${pickle}), which can run any code when they are read; convert them ` +
      `where you trust them with ${how}, or fetch the model's safetensors`,
    { details: { folder } },
  );
}

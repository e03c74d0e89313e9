// Adapter folders in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "@flacuna/model";
import { Tensor } from "@flacuna/tensor";
import type { Adapter, LoraPair, LoraTree } from "./adapter.ts";
import { formatAdapterConfig, parseAdapterConfig } from "./config.ts";
import { LoraError } from "./errors.ts";

const CONFIG_FILE = "adapter_config.json";
const TENSORS_FILE = "adapter_model.safetensors";

/** PEFT's two wrappers around the model's own module path. */
const PREFIX = "base_model.model.";

/** In-memory names keep the adapter's name (`.default`), as the released Flacuna weights do; files leave it out. */
const KEY = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/;

/**
 * Writes an adapter folder that PEFT loads.
 *
 * @see PEFT's checkpoint format, developer guide "PEFT checkpoint format"
 */
export async function writeAdapter(folder: string, adapter: Adapter): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors = Object.entries(adapter.tensors).flatMap(([module, { A, B }]) => [
    toWrite(`${PREFIX}${module}.lora_A.weight`, A),
    toWrite(`${PREFIX}${module}.lora_B.weight`, B),
  ]);
  await writeSafetensors(join(folder, TENSORS_FILE), tensors, { metadata: { format: "pt" } });
  const partial = join(folder, `${CONFIG_FILE}.partial`);
  await writeFile(partial, `${JSON.stringify(formatAdapterConfig(adapter.config), null, 2)}\n`);
  await rename(partial, join(folder, CONFIG_FILE));
}

const toWrite = (name: string, tensor: Tensor) => ({
  name,
  dtype: tensor.dtype,
  shape: tensor.shape,
  read: () => tensor,
});

/**
 * Reads an adapter folder written here or by PEFT; factors of 16 bits are widened to float32.
 *
 * @throws LoraError `LORA_ADAPTER_INVALID` naming what is missing or unknown, `LORA_CONFIG_INVALID`, `LORA_UNSUPPORTED`;
 * ModelError as `readSafetensors` does
 */
export async function readAdapter(folder: string): Promise<Adapter> {
  const config = parseAdapterConfig(await readConfig(folder));
  const file = await readSafetensors(join(folder, TENSORS_FILE));
  const pairs = new Map<string, Partial<Record<"A" | "B", Tensor>>>();
  const unknown: string[] = [];
  for (const name of file.tensors.keys()) {
    const match = KEY.exec(name);
    if (match === null) unknown.push(name);
    else {
      const pair = pairs.get(match[1]!) ?? {};
      pair[match[2] as "A" | "B"] = toFloat32(await file.read(name));
      pairs.set(match[1]!, pair);
    }
  }
  if (unknown.length > 0) {
    throw new LoraError(
      "LORA_ADAPTER_INVALID",
      `${folder}: tensors that belong to no LoRA factor: ${unknown.join(", ")}`,
    );
  }
  return { config, tensors: completePairs(folder, pairs, config.rank) };
}

/** Adapters are trained and merged in float32, whatever they were stored in. */
const toFloat32 = (tensor: Tensor): Tensor =>
  tensor.dtype === "float32" ? tensor : Tensor.fromArray("float32", tensor.shape, tensor.toNumbers());

async function readConfig(folder: string): Promise<unknown> {
  const path = join(folder, CONFIG_FILE);
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new LoraError(
      "LORA_ADAPTER_INVALID",
      `${path}: expected a JSON file (${(cause as Error).message})`,
      { cause },
    );
  }
}

function completePairs(
  folder: string,
  pairs: ReadonlyMap<string, Partial<Record<"A" | "B", Tensor>>>,
  rank: number,
): LoraTree<Tensor> {
  const problems: string[] = [];
  const complete: Record<string, LoraPair<Tensor>> = {};
  for (const [module, { A, B }] of pairs) {
    if (A === undefined || B === undefined)
      problems.push(`${module}: lora_${A === undefined ? "A" : "B"} is missing`);
    else if (A.shape[0] !== rank || B.shape[1] !== rank || A.shape.length !== 2 || B.shape.length !== 2) {
      problems.push(`${module}: A [${A.shape}] and B [${B.shape}] are not of rank ${rank}`);
    } else complete[module] = { A, B };
  }
  if (pairs.size === 0) problems.push("the file has no LoRA tensors");
  if (problems.length > 0) throw new LoraError("LORA_ADAPTER_INVALID", `${folder}: ${problems.join("; ")}`);
  return complete;
}

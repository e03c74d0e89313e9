// The adapter folded into the base: a checkpoint folder like any other.
import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createMerger, readAdapter } from "@flacuna/lora";
import { llamaParameterShapes, readCheckpoint, writeCheckpoint } from "@flacuna/model";
import { bfloat16ToFloat32, float16ToFloat32, Tensor } from "@flacuna/tensor";
import { runStage, type StageOutcome } from "../artifacts.ts";
import type { FetchResult } from "./fetch.ts";
import type { RunContext } from "./stage.ts";
import type { TrainResult } from "./train.ts";

/** Where the merged checkpoint is. */
export interface MergeResult {
  readonly model: string;
}

/** Files of a checkpoint folder that belong to its tokenizer. */
const TOKENIZER_FILE = /^(tokenizer.*|special_tokens_map\.json|chat_template\.jinja)$/;

/** Merges the adapter, tensor by tensor, and copies the tokenizer. */
export function mergeAdapter(
  context: RunContext,
  fetched: StageOutcome<FetchResult>,
  trained: StageOutcome<TrainResult>,
): Promise<StageOutcome<MergeResult>> {
  return runStage(context.folder, "merge", { train: trained.key }, async (folder) => {
    const { baseFolder } = fetched.result;
    const model = join(folder, "model");
    await mergeFolder(baseFolder, trained.result.adapter, model);
    return { model };
  });
}

/** Writes base + adapter as a checkpoint folder; weights are kept in float32, so that nothing of a small update is lost. */
async function mergeFolder(baseFolder: string, adapterFolder: string, outputFolder: string): Promise<void> {
  const { config, paths, weights } = await readCheckpoint(baseFolder);
  const merger = await createMerger(await readAdapter(adapterFolder), llamaParameterShapes(config));
  const tensors = paths.map((name) => {
    const stored = weights.get(name)!;
    return {
      name,
      dtype: "float32" as const,
      shape: stored.shape,
      read: async () => merger.merge(name, widen(await stored.read())),
    };
  });
  await writeCheckpoint(outputFolder, config, tensors);
  await merger.dispose();
  for (const file of await readdir(baseFolder)) {
    if (TOKENIZER_FILE.test(file)) await copyFile(join(baseFolder, file), join(outputFolder, file));
  }
}

const DECODERS = { float16: float16ToFloat32, bfloat16: bfloat16ToFloat32 } as const;

function widen(tensor: Tensor): Tensor {
  if (tensor.dtype !== "float16" && tensor.dtype !== "bfloat16") return tensor;
  return new Tensor(
    "float32",
    tensor.shape,
    DECODERS[tensor.dtype](tensor.data as Uint16Array) as Float32Array<ArrayBuffer>,
  );
}

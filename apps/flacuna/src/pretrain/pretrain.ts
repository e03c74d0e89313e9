// Pre-training of the nano base from generated text: tokenizer, model, checkpoint folder. A killed run goes on.
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createFullTrainer, toSupervisedBatch } from "@flacuna/lora";
import { readTokenizer, writeCheckpoint } from "@flacuna/model";
import { adamW, float32ToFloat16, Tensor, warmupCosine } from "@flacuna/tensor";
import { AppError } from "../errors.ts";
import { pretrainingDocuments } from "../nano/pretraining.ts";
import { formatTokenizerJson, trainTokenizer } from "../nano/train-tokenizer.ts";
import { createWorld } from "../nano/world.ts";
import type { PretrainPhase, PretrainRecipe } from "../presets.ts";
import { createProgress } from "../progress.ts";
import { appendLog, cutLog } from "../training/log-file.ts";
import { restoreTrainer, saveTrainer } from "../training/trainer-file.ts";
import { initialParameters } from "./initial-parameters.ts";
import { documentText, TokenRows } from "./token-rows.ts";

const TOKENIZER_CONFIG = {
  tokenizer_class: "LlamaTokenizer",
  add_bos_token: true,
  add_eos_token: false,
  bos_token: "<s>",
  eos_token: "</s>",
  unk_token: "<unk>",
  pad_token: "<unk>",
  clean_up_tokenization_spaces: false,
  legacy: true,
};

/** What a pre-training run is told beside its recipe. */
export interface PretrainOptions {
  /** where the checkpoint folder is written */
  readonly outputFolder: string;
  /** where the run keeps what it needs to go on; removed at the end */
  readonly workFolder: string;
  readonly signal?: AbortSignal;
  /** stop after this many updates, leaving the run to be taken up again */
  readonly maxSteps?: number;
}

/** Trains the nano base and writes it as a Hugging Face folder. */
export async function pretrain(recipe: PretrainRecipe, options: PretrainOptions): Promise<void> {
  const { outputFolder, workFolder, signal } = options;
  await mkdir(workFolder, { recursive: true });
  const world = createWorld(recipe.worldSeed);
  await writeTokenizer(workFolder, recipe);
  const tokenizer = await readTokenizer(workFolder);
  const totalSteps = recipe.phases.reduce((total, { steps }) => total + steps, 0);
  const config = { ...recipe.model, vocabSize: tokenizer.vocabSize };
  const trainer = await createFullTrainer({
    config,
    parameters: initialParameters(config, recipe.seed),
    optimizer: adamW({
      beta2: recipe.beta2,
      weightDecay: recipe.weightDecay,
      decays: (path) => !path.endsWith("norm.weight"),
    }),
    schedule: warmupCosine({ peak: recipe.learningRate, warmupSteps: recipe.warmupSteps, totalSteps }),
    maxGradNorm: recipe.maxGradNorm,
    seed: recipe.seed,
  });
  const statePath = join(workFolder, "state.safetensors");
  const logPath = join(workFolder, "log.jsonl");
  await restoreTrainer(statePath, trainer);
  await cutLog(logPath, trainer.step);
  const rows = new TokenRows(pretrainingDocuments(world), tokenizer);
  const nextBatch = (step: number) => {
    const { batchSize, sequenceLength } = phaseAt(recipe.phases, step);
    return rows.nextBatch(batchSize, sequenceLength);
  };
  for (let step = 0; step < trainer.step; step++) nextBatch(step);
  const progress = createProgress("pretrain", totalSteps, { unit: "steps", start: trainer.step });
  const end = Math.min(totalSteps, options.maxSteps ?? totalSteps);
  while (trainer.step < end) {
    const batch = toSupervisedBatch(nextBatch(trainer.step));
    const result = await trainer.train([batch], signal ? { signal } : {});
    await appendLog(logPath, result);
    progress.update(trainer.step, `loss ${result.loss.toFixed(3)}`);
    if (trainer.step % recipe.saveEvery === 0) await saveTrainer(statePath, trainer, null);
  }
  await saveTrainer(statePath, trainer, null);
  progress.stop();
  const { parameters } = (await trainer.state()) as { parameters: Record<string, Tensor> };
  await trainer.dispose();
  const tensors = Object.entries(parameters).map(([name, tensor]) => ({
    name,
    dtype: "float16" as const,
    shape: tensor.shape,
    read: () =>
      new Tensor(
        "float16",
        tensor.shape,
        float32ToFloat16(tensor.data as Float32Array) as Uint16Array<ArrayBuffer>,
      ),
  }));
  await writeCheckpoint(outputFolder, config, tensors);
  await writeTokenizer(outputFolder, recipe);
}

function phaseAt(phases: readonly PretrainPhase[], step: number): PretrainPhase {
  let end = 0;
  for (const phase of phases) {
    end += phase.steps;
    if (step < end) return phase;
  }
  throw new AppError("APP_INTERNAL", `pretrain: no phase has step ${step}`);
}

/** The tokenizer's files, trained on the first documents; nothing is done where they are already. */
async function writeTokenizer(folder: string, recipe: PretrainRecipe): Promise<void> {
  const path = join(folder, "tokenizer.json");
  if (existsSync(path)) return;
  await mkdir(folder, { recursive: true });
  const texts: string[] = [];
  for (const document of pretrainingDocuments(createWorld(recipe.worldSeed))) {
    texts.push(documentText(document).replaceAll("</s>", "\n"));
    if (texts.length === recipe.tokenizerDocuments) break;
  }
  const json = formatTokenizerJson(trainTokenizer(texts, { vocabSize: recipe.vocabSize }));
  await writeFile(join(folder, "tokenizer_config.json"), `${JSON.stringify(TOKENIZER_CONFIG, null, 2)}\n`);
  await writeFile(`${path}.partial`, json);
  await rename(`${path}.partial`, path);
  await rm(`${path}.partial`, { force: true });
}

// The toy models of golden/ with everything PyTorch, transformers and PEFT computed of them; compares nothing.
import { type Adapter, createMerger, type LabelledBatch, type LoraTree, readAdapter } from "@flacuna/lora";
import { type LlamaConfig, readCheckpoint, readSafetensors } from "@flacuna/model";
import { Tensor, type WeightSource } from "@flacuna/tensor";
import { goldenPath, readGoldenJson } from "./golden-files.ts";

/** One greedy continuation. */
export interface GoldenGeneration {
  readonly promptIds: number[];
  readonly tokenIds: number[];
}

/** Ten optimisation steps. */
export interface GoldenTraining {
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly microBatchLosses: readonly (readonly number[])[];
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  readonly learningRates: readonly number[];
}

/** What the JSON file of a toy model holds. */
export interface GoldenNumbers {
  readonly optimizer: { readonly learningRate: number; readonly warmupSteps: number; readonly steps: number };
  readonly trainDecay: GoldenTraining;
  readonly trainNoDecay: GoldenTraining;
  readonly generations: readonly GoldenGeneration[];
  readonly adapterGenerations: readonly GoldenGeneration[];
  readonly logLikelihoods: readonly {
    readonly contextIds: number[];
    readonly continuationIds: number[];
    readonly logProbNats: number;
    readonly isGreedy: boolean;
  }[];
}

/** A toy model, its adapter, and the golden values of both. */
export interface ToyModel {
  readonly name: string;
  readonly config: LlamaConfig;
  readonly weights: WeightSource;
  /** The same weights in memory, by path. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly adapter: Adapter;
  readonly numbers: GoldenNumbers;
  /** A golden tensor by its name. */
  value(name: string): Tensor;
}

async function readTensors(path: string): Promise<Map<string, Tensor>> {
  const file = await readSafetensors(path);
  const names = [...file.tensors.keys()];
  return new Map(await Promise.all(names.map(async (name) => [name, await file.read(name)] as const)));
}

async function readToyModel(name: string): Promise<ToyModel> {
  const { config, weights, paths } = await readCheckpoint(goldenPath(name));
  const entries = paths.map(async (path) => [path, await weights.get(path)!.read()] as const);
  const values = await readTensors(goldenPath(`${name}.values.safetensors`));
  return {
    name,
    config,
    weights,
    parameters: Object.fromEntries(await Promise.all(entries)),
    adapter: await readAdapter(goldenPath(`${name}-adapter`)),
    numbers: await readGoldenJson<GoldenNumbers>(`${name}.json`),
    value(key) {
      const tensor = values.get(key);
      if (tensor === undefined) throw new Error(`${name}.values.safetensors has no ${key}`);
      return tensor;
    },
  };
}

/** Grouped queries with an output head of its own, and tied embeddings with heads wider than the hidden size. */
export const TOYS: readonly ToyModel[] = await Promise.all(["llama-untied", "llama-tied"].map(readToyModel));

const integers = (tensor: Tensor): BigInt64Array => tensor.data as BigInt64Array;

/** The batch that logits, losses and gradients are of. */
export function evaluationBatch(toy: ToyModel): LabelledBatch {
  const [batchSize, sequenceLength] = toy.value("batch.input_ids").shape as [number, number];
  const [inputIds, labels] = [integers(toy.value("batch.input_ids")), integers(toy.value("batch.labels"))];
  return { inputIds, labels, batchSize, sequenceLength };
}

/** The micro-batches of training, in order. */
export function trainingBatches(toy: ToyModel): LabelledBatch[] {
  const [count, batchSize, sequenceLength] = toy.value("train.input_ids").shape as [number, number, number];
  const size = batchSize * sequenceLength;
  const part = (name: string, index: number) =>
    integers(toy.value(name)).slice(index * size, (index + 1) * size);
  return Array.from({ length: count }, (_, index) => ({
    inputIds: part("train.input_ids", index),
    labels: part("train.labels", index),
    batchSize,
    sequenceLength,
  }));
}

/** An adapter's tensors by their names in PEFT's file. */
export function byPeftName<Leaf>(tree: LoraTree<Leaf>): Record<string, Leaf> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([module, { A, B }]) => [
      [`base_model.model.${module}.lora_A.weight`, A],
      [`base_model.model.${module}.lora_B.weight`, B],
    ]),
  );
}

/** The model's weights with the adapter merged into them, by path. */
export async function mergeToy({ parameters, adapter }: ToyModel): Promise<Record<string, Tensor>> {
  const shapes = new Map(Object.entries(parameters).map(([path, { shape }]) => [path, shape]));
  const merger = await createMerger(adapter, shapes);
  const merged: Record<string, Tensor> = {};
  for (const [path, tensor] of Object.entries(parameters)) merged[path] = await merger.merge(path, tensor);
  await merger.dispose();
  return merged;
}

/** A result for the evaluation batch, [3, 13, …], with zeros at padding, as the golden ones have. */
export function withoutPadding(toy: ToyModel, tensor: Tensor): Tensor {
  const mask = toy.value("batch.attention_mask").toNumbers();
  const width = tensor.shape.at(-1)!;
  const values = tensor
    .toNumbers()
    .map((value, index) => (mask[Math.floor(index / width)] === 1 ? value : 0));
  return Tensor.fromArray(tensor.dtype, tensor.shape, values);
}

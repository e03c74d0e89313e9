// The supervised fine-tuning of a model with adapters, or with all its weights, as a trainer: loss at labelled positions only.
import {
  type LlamaConfig,
  llamaHead,
  llamaHidden,
  llamaParameterShapes,
  type RotatedCheckpoint,
  rotateCheckpoint,
} from "@flacuna/model";
import {
  type CompileOptions,
  compile,
  createTrainer,
  crossEntropy,
  type Executable,
  type LossFunction,
  mul,
  type Precision,
  type PrecisionByPath,
  sum,
  type Tensor,
  type Tracer,
  type Trainer,
  type TrainerOptions,
  trace,
  type Value,
  type WeightSource,
  weight,
} from "@flacuna/tensor";
import { type Adapter, fitAdapter, type LoraTree } from "./adapter.ts";
import type { LoraConfig } from "./config.ts";
import { loraLinear } from "./linear.ts";
import { SUPERVISED_BATCH, type SupervisedBatch } from "./supervised-batch.ts";

type TracedBatch = Readonly<Record<keyof typeof SUPERVISED_BATCH, Tracer>>;
type LlamaOptions = NonNullable<Parameters<typeof llamaHidden>[3]>;

/** Mean cross entropy over the labelled positions, in nats: only their hidden states leave the last layer. */
function labelledLoss(
  config: LlamaConfig,
  parameters: (path: string) => Tracer,
  { inputIds, starts, positions, labels, weights }: TracedBatch,
  options: LlamaOptions,
): Tracer {
  const hidden = llamaHidden(config, parameters, { inputIds, starts, reads: positions }, options); // [N, C]
  return sum(mul(crossEntropy(llamaHead(config, parameters, hidden, options), labels), weights));
}

/** The model's parameters as named constants. */
const frozenParameters = (config: LlamaConfig): ((path: string) => Tracer) => {
  const shapes = llamaParameterShapes(config);
  return (path) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
};

/** How the loss is differentiated. */
export interface LossOptions {
  /** Keeps what enters each layer and computes the rest again for the gradient: less memory, more time. Default false. */
  readonly recompute?: boolean;
}

/** The loss of a model with an adapter; with `isTraining` the adapter's dropout is on. */
export function adapterLoss(
  config: LlamaConfig,
  lora: LoraConfig,
  isTraining: boolean,
  { recompute = false, rotated }: LossOptions & { readonly rotated?: RotatedCheckpoint } = {},
): LossFunction {
  return (adapter: LoraTree<Tracer>, batch: TracedBatch, seed) => {
    const linear = loraLinear(adapter, lora, {
      ...(isTraining && { seed }),
      ...(rotated && { coordinates: rotated.coordinates }),
    });
    const options = { linear, checkpointLayers: recompute, hadamard: rotated?.hadamard ?? false };
    return labelledLoss(config, frozenParameters(config), batch, options);
  };
}

/** The loss of a model all of whose weights are trained. */
export function fullLoss(config: LlamaConfig, { recompute = false }: LossOptions = {}): LossFunction {
  return (parameters: Readonly<Record<string, Tracer>>, batch: TracedBatch) =>
    labelledLoss(config, (path) => parameters[path]!, batch, { checkpointLayers: recompute });
}

/** What every kind of fine-tuning is told; see `TrainerOptions` of `@flacuna/tensor`. */
export type FineTuneOptions = Pick<
  TrainerOptions,
  | "optimizer"
  | "schedule"
  | "accumulationSteps"
  | "maxGradNorm"
  | "device"
  | "threads"
  | "seed"
  | "savedActivations"
> &
  LossOptions & { readonly config: LlamaConfig };

/**
 * What of a model is computed in bytes: all but two things. Rows of the output head's gradient have one large element,
 * beside which bytes lose the others. And errors of the values weigh most in the gradient; where query heads share them
 * they are few, and bfloat16 costs little. What `down_proj` reads is the most uneven: each block of a row gets its own
 * scale. See docs/decisions/2026-11-22-output-head-precision.md
 * and docs/decisions/2026-11-22-down-proj-in-blocks.md.
 */
export const int8ByPath =
  ({ numAttentionHeads, numKeyValueHeads }: LlamaConfig): PrecisionByPath =>
  (path, use) => {
    if (path === "lm_head.weight") return use === "transposed" ? "bfloat16" : "int8";
    const isGroupedValue = numKeyValueHeads < numAttentionHeads && path.endsWith("v_proj.weight");
    if (isGroupedValue) return "bfloat16";
    return use === "linear" && path.endsWith("down_proj.weight") ? "int8Blockwise" : "int8";
  };

/**
 * A trainer of an adapter over frozen weights. Batches come from `toSupervisedBatch`; the trained tree is the adapter's.
 *
 * @param options.weights the frozen base, such as a checkpoint's
 * @param options.precision what the products with the base are computed in: "float32" (default), "bfloat16", "int8"
 * (rotated, row by row; the fastest on a CPU) or "int4" (the checkpoint's own blocks of 4 bits where it has some; the
 * smallest)
 * @see Hu et al. 2021; Flacuna (arXiv 2307.02053)
 */
export async function createAdapterTrainer(
  options: FineTuneOptions & {
    readonly weights: WeightSource;
    readonly adapter: Adapter;
    readonly precision?: Precision;
  },
): Promise<Trainer> {
  const { config: original, recompute = false, precision = "float32", ...rest } = options;
  const adapter = fitAdapter(options.adapter, llamaParameterShapes(original));
  // Rounding to 8 bits needs coordinates without outliers; the adapter keeps the checkpoint's own.
  const rotated = precision === "int8" ? rotateCheckpoint(original, rest.weights) : undefined;
  const { config, weights } = rotated ?? { config: original, weights: rest.weights };
  const lossOptions = { recompute, ...(rotated && { rotated }) };
  return createTrainer({
    ...rest,
    weights,
    precision: precision === "int8" ? int8ByPath(config) : precision,
    loss: adapterLoss(config, adapter.config, true, lossOptions),
    evaluationLoss: adapterLoss(config, adapter.config, false, lossOptions),
    batch: SUPERVISED_BATCH,
    parameters: adapter.tensors,
  });
}

/** A trainer of all weights; the trained tree is a record of tensors by path. */
export async function createFullTrainer(
  options: FineTuneOptions & { readonly parameters: Readonly<Record<string, Tensor>> },
): Promise<Trainer> {
  const { config, parameters, ...rest } = options;
  return createTrainer({ ...rest, loss: fullLoss(config, rest), batch: SUPERVISED_BATCH, parameters });
}

/** Measures a checkpoint's loss as it is, without any adapter. Dispose it when done. */
export class LossEvaluator {
  private readonly executable: Executable;

  /** Use `createLossEvaluator`. */
  constructor(executable: Executable) {
    this.executable = executable;
  }

  /** Mean cross entropy over a batch's labelled positions, in nats. */
  async evaluate(batch: SupervisedBatch): Promise<number> {
    const loss = (await this.executable.run([batch])) as Value;
    const tensor = await loss.toTensor();
    loss.dispose();
    return tensor.toNumbers()[0]!;
  }

  /** Frees the compiled model. */
  async dispose(): Promise<void> {
    await this.executable.dispose();
  }
}

/** An evaluator of a checkpoint's loss on labelled batches. */
export async function createLossEvaluator(
  options: { readonly config: LlamaConfig } & CompileOptions,
): Promise<LossEvaluator> {
  const { config, ...rest } = options;
  const program = trace(
    (batch) => labelledLoss(config, frozenParameters(config), batch, {}),
    [SUPERVISED_BATCH],
  );
  return new LossEvaluator(await compile(program, rest));
}

export {
  type Adapter,
  adapterShapes,
  countTrainable,
  createAdapter,
  fitAdapter,
  type LoraPair,
  type LoraTree,
  type ParameterShapes,
} from "./adapter.ts";
export { readAdapter, writeAdapter } from "./checkpoint.ts";
export {
  FLACUNA_LORA,
  formatAdapterConfig,
  type LoraConfig,
  parseAdapterConfig,
  scalingOf,
} from "./config.ts";
export { LORA_ERROR_CODES, LoraError, type LoraErrorCode } from "./errors.ts";
export {
  adapterLoss,
  createAdapterTrainer,
  createFullTrainer,
  createLossEvaluator,
  type FineTuneOptions,
  fullLoss,
  int8ByPath,
  type LossEvaluator,
  type LossOptions,
} from "./fine-tune.ts";
export { type LoraLinearOptions, loraLinear } from "./linear.ts";
export { createMerger, type Merger } from "./merge.ts";
export { stackAdapters } from "./stack.ts";
export {
  countLabels,
  type LabelledBatch,
  SUPERVISED_BATCH,
  type SupervisedBatch,
  toSupervisedBatch,
} from "./supervised-batch.ts";

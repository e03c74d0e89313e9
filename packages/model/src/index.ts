export {
  type ChatMessage,
  type ChatTemplateOptions,
  type ConversationTemplate,
  renderChatTemplate,
  VICUNA_V1_1,
} from "./chat-template.ts";
export {
  formatLlamaConfig,
  type Llama3RopeScaling,
  type LlamaConfig,
  llamaParameterShapes,
  parameterCount,
  parseLlamaConfig,
} from "./config.ts";
export {
  type ConstrainedVocabulary,
  createJsonSchemaConstraint,
  type JsonSchemaConstraint,
  type JsonSchemaConstraintOptions,
} from "./constraint/json-schema-constraint.ts";
export type { TokenConstraint, TokenConstraintFactory } from "./constraint/token-constraint.ts";
export type { Vocabulary } from "./constraint/vocabulary-trie.ts";
export type { StepModelOptions } from "./engine/compiled-step-model.ts";
export type { EngineOptions, EngineStats } from "./engine/engine.ts";
export type { GeneratedToken } from "./engine/generation.ts";
export type { Loglikelihood, LoglikelihoodRequest } from "./engine/loglikelihood.ts";
export type { TokenLogProb } from "./engine/step-model.ts";
export { MODEL_ERROR_CODES, ModelError, type ModelErrorCode, type ModelErrorOptions } from "./errors.ts";
export { type SamplingOptions, type SamplingState, sampleToken } from "./generate/sampler.ts";
export { createStopFilter, type FinishReason, type StopFilter } from "./generate/stopping.ts";
export { fetchModel, planFetch } from "./hub/fetch-model.ts";
export type {
  FetchedModel,
  FetchOptions,
  FetchPlan,
  FetchProgress,
  FetchRunOptions,
  PlannedFile,
} from "./hub/plan.ts";
export type { RetryPolicy } from "./hub/retry.ts";
export type { HubOptions } from "./hub/settings.ts";
export type { ListedFile } from "./hub/wanted-files.ts";
export {
  createLanguageModel,
  type GenerateBatchOptions,
  type GenerateOptions,
  type LanguageModel,
  type LanguageModelOptions,
  type LanguageModelParts,
  type LoglikelihoodOptions,
  loadLanguageModel,
} from "./language-model.ts";
export { type AdapterStack, type Linear, linear } from "./layers/linear.ts";
export { type LlamaOptions, llamaHead, llamaHidden, llamaLogits, type Parameters } from "./llama.ts";
export type { ModelPrecision } from "./precision.ts";
export { type RotatedCheckpoint, rotateCheckpoint } from "./rotate.ts";
export type { Coordinates } from "./rotate-coordinates.ts";
export type { AddedToken } from "./tokenizer/added-tokens.ts";
export { tokenizerFilesFromGguf } from "./tokenizer/gguf-tokenizer.ts";
export type { IncrementalDecoder } from "./tokenizer/incremental-decoder.ts";
export {
  createTokenizer,
  type DecodeOptions,
  type EncodeOptions,
  readTokenizer,
  type SentencePieceDetails,
  type Tokenizer,
  type TokenizerFiles,
} from "./tokenizer.ts";
export type { CheckpointMismatch } from "./weights/agreement.ts";
export {
  type Checkpoint,
  type CheckpointWeight,
  type CheckpointWeights,
  readCheckpoint,
  writeCheckpoint,
} from "./weights/checkpoint.ts";
export { type GgufFile, type GgufTensor, readGguf } from "./weights/gguf.ts";
export { type GgufCheckpoint, type GgufWeight, readGgufCheckpoint } from "./weights/gguf-checkpoint.ts";
export type { GgufEntry, GgufValue } from "./weights/gguf-header.ts";
export type { GgufType } from "./weights/gguf-types.ts";
export {
  readSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "./weights/safetensors.ts";
export type { SafetensorsEntry } from "./weights/safetensors-header.ts";

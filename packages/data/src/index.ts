// The public names of @flacuna/data.
export { apportion } from "./apportion.ts";
export { type BuildTokenCacheOptions, buildTokenCache } from "./cache/build-token-cache.ts";
export { hashFile } from "./cache/content-hash.ts";
export type { CacheInputs, CacheManifest } from "./cache/manifest.ts";
export type { RowCounts } from "./cache/row-counts.ts";
export { type SampleOrigin, TokenizedDataset } from "./cache/tokenized-dataset.ts";
export { type CollateOptions, collate, type TokenBatch } from "./collate.ts";
export type { ConversationTemplate, TemplateMessage } from "./conversation-template.ts";
export { DATA_ERROR_CODES, DataError, type DataErrorCode, type DataErrorDetails } from "./errors.ts";
export {
  componentOf,
  FLAN_MINI_COMPONENTS,
  type FlanMiniComponent,
  type FlanMiniComponentName,
} from "./flan-mini.ts";
export {
  type InstructionExample,
  isInstructionExample,
  parseInstructionExample,
  type RecordContext,
} from "./instruction-example.ts";
export { IGNORE_INDEX } from "./labels.ts";
export {
  type LoaderIdentity,
  TokenLoader,
  type TokenLoaderOptions,
  type TokenLoaderState,
} from "./loader.ts";
export { isMessage, isRole, type Message, type Role } from "./message.ts";
export {
  type CappedMixture,
  cappedMixture,
  type MixtureItem,
  type MixtureOptions,
  type MixtureSource,
  WeightedMixture,
  type WeightedMixtureState,
} from "./mixture.ts";
export { type SampleOrder, type SampleOrderOptions, sampleOrder } from "./order.ts";
export { type PackOptions, packRows } from "./pack.ts";
export { numpyPermutation } from "./random/numpy-permutation.ts";
export {
  type ReadInstructionOptions,
  readFlanMiniJson,
  readInstructionFile,
  readJsonLines,
  readParquet,
} from "./read/instruction-file.ts";
export { type DropReason, type Rendering, renderExample } from "./render.ts";
export { type Split, type SplitOptions, splitRows } from "./split.ts";
export { countExamples, type ExampleCounts, type InstructionStatistics } from "./statistics.ts";
export {
  DEFAULT_MAX_LENGTH,
  type NoLossReason,
  type TokenizedExample,
  type TokenizeOptions,
  tokenizeExample,
} from "./tokenize.ts";
export { selectRows, type TokenizedRow, type TokenizedRows } from "./tokenized-rows.ts";
export type { Tokenizer } from "./tokenizer.ts";

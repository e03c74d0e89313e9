export { type ConversationTemplate, VICUNA_V1_1 } from "./chat-template.ts";
export { type LlamaConfig, llamaParameterShapes, parameterCount, parseLlamaConfig } from "./config.ts";
export { MODEL_ERROR_CODES, ModelError, type ModelErrorCode } from "./errors.ts";
export { type Linear, linear } from "./layers/linear.ts";
export { type LlamaOptions, llamaHead, llamaHidden, llamaLogits, type Parameters } from "./llama.ts";
export { readTokenizer, type Tokenizer } from "./tokenizer.ts";
export { readCheckpoint, writeCheckpoint } from "./weights/checkpoint.ts";
export { readSafetensors, type TensorToWrite, writeSafetensors } from "./weights/safetensors.ts";

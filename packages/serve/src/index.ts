// The public names of @flacuna/serve.
export { type AppOptions, buildApp } from "./app.ts";
export { SERVE_ERROR_CODES, ServeError, type ServeErrorCode, type ServeErrorDetails } from "./errors.ts";
export { type ListenOptions, listen, type RunningServer } from "./listen.ts";
export type { LoggerOptions } from "./logging.ts";
export type {
  ChatMessage,
  FinishReason,
  GenerationOptions,
  ServedModel,
  TextEvent,
  TextGenerator,
} from "./text-generator.ts";

// How llama.cpp's scorer is loaded.
import type { LlamaSettings, LoadLlama } from "./protocol.ts";

/** Tokens of all sequences: some long prompts, or a long beginning and many ends of prompts. */
const CONTEXT = 16_384;

const DEFAULTS = { flashAttention: true, batchSize: 512, unifiedCache: true, sequences: 8 } as const;

/** The command that loads the GGUF file `model`, with `settings` other than the defaults. */
export function llamaScorerLoad(
  model: string,
  threads: number,
  settings: Partial<LlamaSettings & Pick<LoadLlama, "sequences">> = {},
): LoadLlama {
  return { command: "load", model, contextSize: CONTEXT, ...DEFAULTS, threads, ...settings };
}

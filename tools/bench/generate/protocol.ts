// What the benchmarks of generation and scoring and their worker processes say to each other, by the model of ../protocol.ts.
import type { LoglikelihoodRequest } from "@flacuna/model";

/** Loads ours. */
export interface LoadOurs {
  readonly command: "load";
  /** a checkpoint's folder, or a GGUF file */
  readonly model: string;
  readonly precision: "float32" | "int16" | "bfloat16" | "int8" | "int4";
  readonly threads: number;
  /** most sequences at once */
  readonly sequences: number;
  /** tokens of all sequences that the cache holds; as many as it likes when absent */
  readonly cacheTokens?: number | undefined;
}

/** What is tried of llama.cpp. */
export interface LlamaSettings {
  readonly threads: number;
  readonly flashAttention: boolean;
  /** tokens computed at once, `n_ubatch` */
  readonly batchSize: number;
  /** one cache for all sequences, or one each */
  readonly unifiedCache: boolean;
}

/** Loads node-llama-cpp, or the scorer. */
export interface LoadLlama extends LlamaSettings {
  readonly command: "load";
  /** a GGUF file */
  readonly model: string;
  readonly sequences: number;
  /** tokens: of each sequence for node-llama-cpp, of all together for the scorer */
  readonly contextSize: number;
}

/** Loads transformers or transformers.js. */
export interface LoadTransformers {
  readonly command: "load";
  /** a folder */
  readonly model: string;
  readonly dtype: string;
  readonly threads: number;
}

/** Generates greedily after each prompt, all at once, past any end of sequence. */
export interface Generate {
  readonly command: "generate";
  readonly prompts: readonly (readonly number[])[];
  readonly newTokens: number;
}

/** For each prompt, when each of its tokens came: seconds from the command. */
export interface GenerateAnswer {
  readonly arrivals: readonly (readonly number[])[];
}

/** Scores continuations. */
export interface Score {
  readonly command: "score";
  readonly requests: readonly LoglikelihoodRequest[];
  /** transformers only: rows of a batch */
  readonly batchSize?: number;
}

/** Log-likelihoods in nats, in the order of the requests. */
export interface ScoreAnswer {
  readonly seconds: number;
  readonly logProbs: readonly number[];
}

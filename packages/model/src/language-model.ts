// Program, weights, tokenizer and engine as one object: generate, score, dispose. Joins parts, adds no behaviour.
import type { WeightSource } from "@flacuna/tensor";
import type { LlamaConfig } from "./config.ts";
import { createJsonSchemaConstraint } from "./constraint/json-schema-constraint.ts";
import {
  type CompilingStepModel,
  createStepModel,
  type StepModelOptions,
} from "./engine/compiled-step-model.ts";
import { createEngine, type EngineOptions, type EngineRequest, type EngineStats } from "./engine/engine.ts";
import type { GeneratedToken } from "./engine/generation.ts";
import type { Loglikelihood, LoglikelihoodRequest } from "./engine/loglikelihood.ts";
import { ModelError } from "./errors.ts";
import type { FinishReason } from "./generate/stopping.ts";
import type { ModelPrecision } from "./precision.ts";
import { readTokenizer, type Tokenizer } from "./tokenizer.ts";
import { readCheckpoint } from "./weights/checkpoint.ts";
import { convertedWeights } from "./weights/converted-weights.ts";

/** How one sequence is generated. */
export interface GenerateOptions extends Omit<EngineRequest, "promptIds" | "adapter"> {
  /** The text is to be JSON that is valid by this schema, `true` for any; it takes the place of `constraint`. */
  readonly jsonSchema?: unknown;
  /** The name of the adapter that the sequence goes through. Default: none. */
  readonly adapter?: string;
}

/** How many sequences are generated. */
export interface GenerateBatchOptions extends GenerateOptions {
  /** What differs per prompt, by index. */
  readonly perPrompt?: readonly Partial<Omit<GenerateOptions, "signal">>[];
  /** Called with the number of prompts done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** How continuations are scored. */
export interface LoglikelihoodOptions {
  /** Ends the scoring with `TENSOR_CANCELLED`. */
  readonly signal?: AbortSignal;
  /** Called with the number of requests done. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The name of the adapter that the sequences go through. Default: none. */
  readonly adapter?: string;
}

/**
 * A model ready to generate and to score. Calls may overlap: all sequences are computed together, step by step, and what
 * they begin with alike is computed once. Dispose it when done.
 */
export interface LanguageModel {
  readonly config: LlamaConfig;
  readonly tokenizer: Tokenizer;
  /** What is under way, and what has happened so far. */
  readonly stats: EngineStats;
  /**
   * Token ids after `promptIds`, one by one, without the end of sequence; the loop's return value says why it ended.
   * Sequences may be longer than `maxPositionEmbeddings`, though the model was not trained for it.
   *
   * @throws ModelError `MODEL_INVALID_ARGUMENT`, `MODEL_SCHEMA_UNSUPPORTED`, `MODEL_OVERLOADED`,
   * `MODEL_LOGITS_NOT_FINITE`, `MODEL_DISPOSED`; TensorError as `compile` and `run` do
   */
  generate(
    promptIds: readonly number[],
    options: GenerateOptions,
  ): AsyncGenerator<number, FinishReason, void>;
  /** `generate` with each token's log-probability, and its likeliest alternatives where the options ask for them. */
  generateTokens(
    promptIds: readonly number[],
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, FinishReason, void>;
  /** `count` generations of one prompt: the first with the seed of the options, each other with one derived from it. */
  generateSamples(
    promptIds: readonly number[],
    options: GenerateOptions,
    count: number,
  ): AsyncGenerator<GeneratedToken, FinishReason, void>[];
  /** What `generate` gives for each prompt, computed together; throws as `generate`. */
  generateBatch(prompts: readonly (readonly number[])[], options: GenerateBatchOptions): Promise<number[][]>;
  /** Scores of continuations, in the order of the requests; throws as `generate`. */
  loglikelihood(
    requests: readonly Omit<LoglikelihoodRequest, "adapter">[],
    options?: LoglikelihoodOptions,
  ): Promise<Loglikelihood[]>;
  /** Frees what it holds; what is under way fails with `MODEL_DISPOSED`. */
  dispose(): Promise<void>;
}

/** What a language model consists of. */
export interface LanguageModelParts {
  readonly config: LlamaConfig;
  /** Parameters by the checkpoint's names, and those that `linear` adds. */
  readonly weights: WeightSource;
  readonly tokenizer: Tokenizer;
}

/** How a language model runs. */
export type LanguageModelOptions = StepModelOptions & EngineOptions;

/**
 * The language model of the checkpoint at `path`, a folder or a GGUF file, read and compiled. What its weights are
 * converted to for a precision of fewer bits is kept in `~/.cache/flacuna/weights`, or where `FLACUNA_CACHE` says, for the
 * next time: up to 32 GiB, or `FLACUNA_CACHE_GIB`.
 *
 * @throws ModelError as `readCheckpoint` and `readTokenizer` do; TensorError as `compile` does
 */
export async function loadLanguageModel(
  path: string,
  options: LanguageModelOptions = {},
): Promise<LanguageModel> {
  const [{ config, weights, paths }, tokenizer] = await Promise.all([
    readCheckpoint(path),
    readTokenizer(path),
  ]);
  const { precision = "float32" } = options;
  if (options.device === "cuda" || !CONVERTED.has(precision)) {
    return compiled(assemble({ config, weights, tokenizer }, options));
  }
  const { weights: converted, save } = await convertedWeights(weights, { paths, form: precision });
  const onCompiled = () => void save().catch(() => undefined);
  return compiled(assemble({ config, weights: converted, tokenizer }, { ...options, onCompiled }));
}

/** The model when its program is compiled: then no generation waits for that, nor the event loop while others run. */
async function compiled({ model, steps }: Assembled): Promise<LanguageModel> {
  try {
    await steps.compile();
    return model;
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

/** Precisions whose weights take long to make. */
const CONVERTED: ReadonlySet<ModelPrecision> = new Set(["bfloat16", "int16", "int8", "int4"]);

/**
 * The language model of `parts`, which stay their owner's. Programs are compiled when first used.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT` when the tokenizer knows more tokens than the model, or options do not fit
 * together
 */
export function createLanguageModel(
  parts: LanguageModelParts,
  options: LanguageModelOptions = {},
): LanguageModel {
  return assemble(parts, options).model;
}

interface Assembled {
  readonly model: LanguageModel;
  readonly steps: CompilingStepModel;
}

function assemble(
  parts: LanguageModelParts,
  options: LanguageModelOptions & { readonly onCompiled?: () => void },
): Assembled {
  const { config, tokenizer } = parts;
  if (tokenizer.vocabSize > config.vocabSize) {
    throw new ModelError(
      "MODEL_INVALID_ARGUMENT",
      `the tokenizer has ${tokenizer.vocabSize} tokens, the model ${config.vocabSize}; are they of one checkpoint?`,
    );
  }
  const engineTokenizer = {
    eosTokenIds: tokenizer.endTokenIds,
    incrementalDecoder: () => tokenizer.incrementalDecoder({ skipSpecialTokens: true }),
  };
  const steps = createStepModel(parts, options);
  const engine = createEngine(steps, engineTokenizer, options);
  const adapterIndex = indexOfAdapter(options.adapters?.names ?? []);
  const toRequest = (
    promptIds: readonly number[],
    { adapter, jsonSchema, ...options }: GenerateOptions,
  ): EngineRequest => ({
    ...options,
    promptIds,
    adapter: adapterIndex(adapter),
    ...(jsonSchema !== undefined && { constraint: () => jsonConstraint(jsonSchema, tokenizer, options) }),
  });
  const start = (promptIds: readonly number[], options: GenerateOptions) =>
    engine.generate(toRequest(promptIds, options));

  const model: LanguageModel = {
    config,
    tokenizer,
    get stats() {
      return engine.stats;
    },
    generateTokens: start,
    generateSamples: (promptIds, options, count) =>
      engine.generateSamples(toRequest(promptIds, options), count),
    async *generate(promptIds, request) {
      const tokens = start(promptIds, request);
      try {
        for (;;) {
          const next = await tokens.next();
          if (next.done) return next.value;
          yield next.value.id;
        }
      } finally {
        await tokens.return("stop");
      }
    },
    async generateBatch(prompts, { perPrompt = [], onProgress, ...common }) {
      const streams = prompts.map((prompt, index) => start(prompt, { ...common, ...perPrompt[index] }));
      let done = 0;
      const collect = async (tokens: AsyncIterable<GeneratedToken>): Promise<number[]> => {
        const ids: number[] = [];
        for await (const { id } of tokens) ids.push(id);
        onProgress?.(++done, prompts.length);
        return ids;
      };
      try {
        return await Promise.all(streams.map(collect));
      } finally {
        await Promise.all(streams.map((tokens) => tokens.return("stop")));
      }
    },
    async loglikelihood(requests, { adapter, ...scoring } = {}) {
      const index = adapterIndex(adapter);
      return engine.score(
        requests.map((request) => ({ ...request, adapter: index })),
        scoring,
      );
    },
    dispose: () => engine.dispose(),
  };
  return { model, steps };
}

/** A constraint to the schema that lets the text end as the generation does. */
const jsonConstraint = (schema: unknown, tokenizer: Tokenizer, { eosTokenIds }: GenerateOptions) =>
  createJsonSchemaConstraint(schema, tokenizer, eosTokenIds ? { endTokenIds: eosTokenIds } : {});

/** The engine's number for an adapter's name. */
const indexOfAdapter =
  (names: readonly string[]) =>
  (name: string | undefined): number => {
    if (name === undefined) return 0;
    const position = names.indexOf(name);
    if (position >= 0) return position + 1;
    throw new ModelError(
      "MODEL_INVALID_ARGUMENT",
      `there is no adapter ${JSON.stringify(name)}; the model has ${names.join(", ") || "none"}`,
    );
  };

// Program, weights and tokenizer as one object: generate, score, dispose. Joins parts, adds no behaviour.
import { compile, type Device, type Executable, type Program, type WeightSource } from "@flacuna/tensor";
import type { LlamaConfig } from "./config.ts";
import { ModelError } from "./errors.ts";
import { batchByLength } from "./generate/batching.ts";
import { createCachedDecoder } from "./generate/cached-decoder.ts";
import { type GenerationRequest, generateTogether, generateTokens } from "./generate/generate.ts";
import { nextTokenProgram, scoringProgram } from "./generate/programs.ts";
import { RotaryTables } from "./generate/rotary-tables.ts";
import type { SamplingOptions } from "./generate/sampler.ts";
import { type Loglikelihood, scoreContinuations } from "./generate/scoring.ts";
import type { LoglikelihoodRequest } from "./generate/scoring-plan.ts";
import { createStopRule, type FinishReason } from "./generate/stopping.ts";
import { type LlamaOptions, rotaryOptions } from "./llama.ts";
import { readTokenizer, type Tokenizer } from "./tokenizer.ts";
import { readCheckpoint } from "./weights/checkpoint.ts";

/** How one sequence is generated. */
export interface GenerateOptions extends SamplingOptions {
  /** Most tokens to generate, 1 or more. */
  readonly maxNewTokens: number;
  /** Decides all draws: the same seed gives the same tokens. Default 0. */
  readonly seed?: number;
  /** Strings that end the generation once the decoded text contains one; the ids up to there are returned. */
  readonly stop?: readonly string[];
  /** Default: the tokenizer's end of sequence. */
  readonly eosTokenIds?: readonly number[];
  /** Ends the generation with `TENSOR_CANCELLED`. */
  readonly signal?: AbortSignal;
}

/** How many sequences are generated. */
export interface GenerateBatchOptions extends GenerateOptions {
  /** What differs per prompt, by index. */
  readonly perPrompt?: readonly Partial<Omit<GenerateOptions, "signal">>[];
  /** Called after each batch with the number of prompts done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** How continuations are scored. */
export interface LoglikelihoodOptions {
  /** Ends the scoring with `TENSOR_CANCELLED`. */
  readonly signal?: AbortSignal;
  /** Called after each batch with the number of requests done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A model ready to generate and to score. Calls may overlap; dispose it when done. */
export interface LanguageModel {
  readonly config: LlamaConfig;
  readonly tokenizer: Tokenizer;
  /**
   * Token ids after `promptIds`, one by one, without the end of sequence; the loop's return value says why it ended.
   * Sequences may be longer than `maxPositionEmbeddings`, though the model was not trained for it.
   *
   * @throws ModelError `MODEL_INVALID_ARGUMENT`, `MODEL_LOGITS_NOT_FINITE`, `MODEL_DISPOSED`; TensorError as `compile`
   * and `run` do
   */
  generate(
    promptIds: readonly number[],
    options: GenerateOptions,
  ): AsyncGenerator<number, FinishReason, void>;
  /** What `generate` gives for each prompt, computed together; throws as `generate`. */
  generateBatch(prompts: readonly (readonly number[])[], options: GenerateBatchOptions): Promise<number[][]>;
  /** Scores of continuations, in the order of the requests; throws as `generate`. */
  loglikelihood(
    requests: readonly LoglikelihoodRequest[],
    options?: LoglikelihoodOptions,
  ): Promise<Loglikelihood[]>;
  /** Frees the programs; runs under way finish first. */
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
export interface LanguageModelOptions extends LlamaOptions {
  /** Default "cpu". */
  readonly device?: Device;
  /** What is computed in, whatever is stored. Default float32 on "cpu", float16 elsewhere. */
  readonly dtype?: "float32" | "float16";
  /** Threads of one run; the machine's cores by default. */
  readonly threads?: number;
  /** Most sequences computed together. Default 16. */
  readonly maxBatchSize?: number;
  /** Most tokens computed together, padding and tokens to come counted. Default 4096. */
  readonly maxBatchTokens?: number;
}

/**
 * The language model of the checkpoint in `folder`. Weights are read when first used.
 *
 * @throws ModelError as `readCheckpoint` and `readTokenizer` do
 */
export async function loadLanguageModel(
  folder: string,
  options: LanguageModelOptions = {},
): Promise<LanguageModel> {
  const [{ config, weights }, tokenizer] = await Promise.all([readCheckpoint(folder), readTokenizer(folder)]);
  return createLanguageModel({ config, weights, tokenizer }, options);
}

/**
 * The language model of `parts`, which stay their owner's. Programs are compiled when first used.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT` when the tokenizer knows more tokens than the model
 */
export function createLanguageModel(
  parts: LanguageModelParts,
  options: LanguageModelOptions = {},
): LanguageModel {
  const { config, tokenizer } = parts;
  if (tokenizer.vocabSize > config.vocabSize) {
    throw new ModelError(
      "MODEL_INVALID_ARGUMENT",
      `the tokenizer has ${tokenizer.vocabSize} tokens, the model ${config.vocabSize}; are they of one checkpoint?`,
    );
  }
  const { device = "cpu", maxBatchSize = 16, maxBatchTokens = 4096 } = options;
  const dtype = options.dtype ?? (device === "cpu" ? "float32" : "float16");
  const limits = { maxBatchSize, maxBatchTokens };
  const rotaryTables = new RotaryTables(rotaryOptions(config), device);
  const programs = new CompiledPrograms((program) =>
    compile(program, {
      device,
      weights: parts.weights,
      ...(options.threads !== undefined && { threads: options.threads }),
    }),
  );
  const runtime = { config, rotaryTables, dtype, device } as const;
  const { linear, hadamard = false } = options;
  const programOptions = { dtype, hadamard, ...(linear && { linear }) } as const;
  const decoder = async () =>
    createCachedDecoder({
      ...runtime,
      executable: await programs.get("nextToken", () => nextTokenProgram(config, programOptions)),
    });

  function request(promptIds: readonly number[], generate: GenerateOptions): GenerationRequest {
    checkIds(promptIds, config.vocabSize, "promptIds");
    const { maxNewTokens, stop = [], eosTokenIds = [tokenizer.eosTokenId] } = generate;
    if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1) {
      throw new ModelError(
        "MODEL_INVALID_ARGUMENT",
        `maxNewTokens must be a positive integer, got ${maxNewTokens}`,
      );
    }
    const stopRule = createStopRule({ maxNewTokens, eosTokenIds, stop }, () =>
      tokenizer.incrementalDecoder({ skipSpecialTokens: true }),
    );
    return { ...generate, promptIds, stopRule };
  }

  return {
    config,
    tokenizer,
    async *generate(promptIds, generate) {
      return yield* generateTokens(await decoder(), request(promptIds, generate), {
        signal: generate.signal,
      });
    },
    async generateBatch(prompts, { perPrompt = [], onProgress, ...common }) {
      const requests = prompts.map((prompt, index) => request(prompt, { ...common, ...perPrompt[index] }));
      const model = await decoder();
      const results: number[][] = [];
      let done = 0;
      const lengths = requests.map(({ promptIds, maxNewTokens }) => promptIds.length + maxNewTokens);
      for (const batch of batchByLength(lengths, limits)) {
        const members = batch.map((index) => requests[index]!);
        const generations = await generateTogether(model, members, { signal: common.signal });
        for (const [i, index] of batch.entries()) results[index] = [...generations[i]!.ids];
        done += batch.length;
        onProgress?.(done, prompts.length);
      }
      return results;
    },
    async loglikelihood(requests, scoring = {}) {
      for (const { contextIds, continuationIds } of requests) {
        checkIds(contextIds, config.vocabSize, "contextIds");
        if (continuationIds.length > 0) checkIds(continuationIds, config.vocabSize, "continuationIds");
      }
      const executable = await programs.get("scoring", () => scoringProgram(config, programOptions));
      return scoreContinuations({ ...runtime, executable }, requests, { ...limits, ...scoring });
    },
    async dispose() {
      await programs.dispose();
      rotaryTables.dispose();
    },
  };
}

/** Programs compiled at their first use. */
class CompiledPrograms {
  readonly #compile: (program: Program) => Promise<Executable>;
  readonly #executables = new Map<string, Promise<Executable>>();
  #isDisposed = false;

  constructor(compileProgram: (program: Program) => Promise<Executable>) {
    this.#compile = compileProgram;
  }

  get(name: string, build: () => Program): Promise<Executable> {
    if (this.#isDisposed) throw new ModelError("MODEL_DISPOSED", "the language model was disposed before");
    let executable = this.#executables.get(name);
    if (executable === undefined) {
      executable = this.#compile(build());
      this.#executables.set(name, executable);
      // A failed attempt is not kept: the next use tries again.
      executable.catch(() => this.#executables.delete(name));
    }
    return executable;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    const executables = await Promise.allSettled(this.#executables.values());
    for (const result of executables) if (result.status === "fulfilled") await result.value.dispose();
  }
}

function checkIds(ids: readonly number[], vocabSize: number, name: string): void {
  if (ids.length === 0)
    throw new ModelError("MODEL_INVALID_ARGUMENT", `${name} must hold one token at least`);
  const wrong = ids.find((id) => !Number.isSafeInteger(id) || id < 0 || id >= vocabSize);
  if (wrong === undefined) return;
  throw new ModelError(
    "MODEL_INVALID_ARGUMENT",
    `${name} holds ${wrong}; the model has tokens 0 … ${vocabSize - 1}`,
    {
      details: { id: wrong, vocabSize },
    },
  );
}

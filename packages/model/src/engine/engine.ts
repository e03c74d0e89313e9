// Many requests over one model: what a request may ask for, and how it becomes work. Schedules and computes nothing itself.
import { deriveSeed } from "@flacuna/tensor";
import type { TokenConstraintFactory } from "../constraint/token-constraint.ts";
import { ModelError } from "../errors.ts";
import { checkSampling } from "../generate/sampler.ts";
import { createStopRule, type FinishReason, type StopOptions } from "../generate/stopping.ts";
import type { IncrementalDecoder } from "../tokenizer/incremental-decoder.ts";
import { checkTokenIds } from "./check-token-ids.ts";
import type { GeneratedToken, GenerationRequest } from "./generation.ts";
import type { Loglikelihood, LoglikelihoodRequest } from "./loglikelihood.ts";
import type { SchedulerLimits } from "./scheduler.ts";
import { type ScoreOptions, scoreContinuations } from "./score-continuations.ts";
import { StepLoop, type StepLoopStats } from "./step-loop.ts";
import type { StepModel } from "./step-model.ts";
import { streamGeneration } from "./stream-generation.ts";
import type { TokenStream } from "./token-stream.ts";

/** One sequence to generate. */
export interface EngineRequest extends GenerationRequest {
  /** Most tokens to generate, 1 or more; the pool may end a sequence earlier, which counts as `length`. */
  readonly maxNewTokens: number;
  /** Default: the tokenizer's. */
  readonly eosTokenIds?: readonly number[];
  /** Strings that end the generation once the decoded text contains one; the token that completes it is given. */
  readonly stop?: readonly string[];
  /** Makes what says which tokens may come next. Default: all may. */
  readonly constraint?: TokenConstraintFactory;
  /** Ends the generation with `TENSOR_CANCELLED`, within one step. */
  readonly signal?: AbortSignal;
}

/** What the engine has to know of a tokenizer. */
export interface EngineTokenizer {
  readonly eosTokenIds: readonly number[];
  /** For requests with strings to stop at. */
  incrementalDecoder(): IncrementalDecoder;
}

/** Bounds of the engine. */
export interface EngineOptions {
  /** Most tokens of one step: a long prompt is read in parts of it. Default 512. */
  readonly maxStepTokens?: number;
  /** Tokens chosen or scored in one step, about: each costs a row of logits. Default 256. */
  readonly maxStepReads?: number;
  /** Most sequences under way at once. Default 32. */
  readonly maxConcurrent?: number;
  /** Most generations that wait for their turn beside `maxConcurrent` under way; more are refused. Default: any number. */
  readonly maxQueued?: number;
}

/** What is under way, and what has happened so far. */
export interface EngineStats extends StepLoopStats {
  /** Tokens that were chosen, those that ended a sequence not counted. */
  readonly generatedTokens: number;
}

/**
 * Generates and scores over one model. What a request gives depends on itself alone, not on what else is under way, as far
 * as that is so for the model. Tokens wait for their consumer; no one else does.
 */
export interface Engine {
  /**
   * Tokens after the prompt, one by one, without the end of sequence; the return value says why it ended. Begins with the
   * first `next`; `return` ends it within one step.
   *
   * @throws ModelError `MODEL_INVALID_ARGUMENT`, `MODEL_OVERLOADED`, `MODEL_LOGITS_NOT_FINITE`, `MODEL_DISPOSED`;
   * TensorError `TENSOR_CANCELLED` and as the model does
   */
  generate(request: EngineRequest): AsyncGenerator<GeneratedToken, FinishReason, void>;
  /** `count` generations of one prompt, the first with the request's seed, each other with one derived from it. */
  generateSamples(
    request: EngineRequest,
    count: number,
  ): AsyncGenerator<GeneratedToken, FinishReason, void>[];
  /** Scores of continuations, in the order of the requests; throws as `generate`, but never `MODEL_OVERLOADED`. */
  score(requests: readonly LoglikelihoodRequest[], options?: ScoreOptions): Promise<Loglikelihood[]>;
  readonly stats: EngineStats;
  /** Fails what is under way with `MODEL_DISPOSED` and disposes the model once its step has ended. */
  dispose(): Promise<void>;
}

/**
 * An engine over `model`, which becomes its own.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT` for bounds that do not fit together
 */
export function createEngine(
  model: StepModel,
  tokenizer: EngineTokenizer,
  options: EngineOptions = {},
): Engine {
  const { maxStepTokens = 512, maxStepReads = 256, maxConcurrent = 32, maxQueued = Infinity } = options;
  checkBounds({ maxStepTokens, maxStepReads, maxConcurrent });
  const { vocabSize } = model;
  const capacity = model.pageSize * model.pageCount;
  const loop = new StepLoop(model, { maxStepTokens, maxStepReads, maxConcurrent });
  let generations = 0;
  let generatedTokens = 0;

  const generate = (request: EngineRequest): TokenStream<GeneratedToken, FinishReason> =>
    streamGeneration(loop, request, {
      prepare() {
        checkRequest(request, { vocabSize, capacity });
        if (generations >= maxConcurrent + maxQueued) throw overloaded(maxConcurrent, maxQueued);
        const decoder = () => tokenizer.incrementalDecoder();
        return {
          request,
          vocabSize,
          stopRule: createStopRule(stopOptions(request, tokenizer, capacity), decoder),
        };
      },
      onBegin() {
        generations += 1;
      },
      onToken() {
        generatedTokens += 1;
      },
      onEnd() {
        generations -= 1;
      },
    });

  return {
    generate,
    generateSamples: (request, count) =>
      Array.from({ length: count }, (_, sample) =>
        generate({ ...request, seed: sampleSeed(request.seed ?? 0, sample) }),
      ),
    score: (requests, scoring = {}) =>
      scoreContinuations(loop, requests, { ...scoring, vocabSize, capacity, window: maxConcurrent }),
    get stats() {
      return { ...loop.stats, generatedTokens };
    },
    dispose: () => loop.dispose(),
  };
}

function checkBounds({ maxStepTokens, maxStepReads, maxConcurrent }: SchedulerLimits): void {
  const areIntegers = [maxStepTokens, maxStepReads, maxConcurrent].every(Number.isSafeInteger);
  if (areIntegers && maxConcurrent >= 1 && maxStepTokens >= maxConcurrent && maxStepReads >= maxConcurrent)
    return;
  throw new ModelError(
    "MODEL_INVALID_ARGUMENT",
    `maxConcurrent must be 1 or more, maxStepTokens and maxStepReads no less than that; got ${maxConcurrent}, ${maxStepTokens} and ${maxStepReads}`,
  );
}

function checkRequest(
  request: EngineRequest,
  { vocabSize, capacity }: { readonly vocabSize: number; readonly capacity: number },
): void {
  const { promptIds, maxNewTokens, logitBias, adapter = 0, topLogProbs = 0 } = request;
  const { length } = promptIds;
  const isCount = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  const rules: readonly (readonly [isKept: boolean, rule: string])[] = [
    [length > 0, "promptIds must hold one token at least"],
    [length <= capacity, `the prompt has ${length} tokens, the cache room for ${capacity}; cut the prompt`],
    [isCount(maxNewTokens, 1), `maxNewTokens must be a positive integer, got ${maxNewTokens}`],
    [isCount(adapter, 0), `adapter must be the index of one, got ${adapter}`],
    [isCount(topLogProbs, 0), `topLogProbs must be a number of tokens, got ${topLogProbs}`],
  ];
  const broken = rules.find(([isKept]) => !isKept);
  if (broken) throw new ModelError("MODEL_INVALID_ARGUMENT", broken[1]);
  checkTokenIds(promptIds, vocabSize, "promptIds");
  if (logitBias) checkTokenIds([...logitBias.keys()], vocabSize, "logitBias");
  checkSampling(request);
}

const stopOptions = (request: EngineRequest, tokenizer: EngineTokenizer, capacity: number): StopOptions => ({
  // The last token is not run, so that it needs no place in the pool.
  maxNewTokens: Math.min(request.maxNewTokens, capacity + 1 - request.promptIds.length),
  eosTokenIds: request.eosTokenIds ?? tokenizer.eosTokenIds,
  stop: request.stop ?? [],
});

const sampleSeed = (seed: number, sample: number): number =>
  sample === 0 ? seed : deriveSeed(seed, `sample ${sample}`);

function overloaded(maxConcurrent: number, maxQueued: number): ModelError {
  const message = `${maxConcurrent} generations are under way and ${maxQueued} wait; try again later`;
  return new ModelError("MODEL_OVERLOADED", message, { details: { maxConcurrent, maxQueued } });
}

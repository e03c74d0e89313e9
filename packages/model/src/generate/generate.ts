// The loops of generation: choose a token, test the stop rule, step. Knows token ids only, neither text nor graphs.
import { uniformAt } from "@flacuna/tensor";
import { Penalties } from "../engine/penalties.ts";
import type { DecodingBatch, NextTokenModel } from "./next-token-model.ts";
import { checkSampling, type SamplingOptions, sampleToken } from "./sampler.ts";
import type { FinishReason, StopRule } from "./stopping.ts";

/** One sequence to generate. */
export interface GenerationRequest extends SamplingOptions {
  readonly promptIds: readonly number[];
  readonly maxNewTokens: number;
  /** Decides all draws, with the number of tokens before each. Default 0. */
  readonly seed?: number;
  /** Used for this request alone. */
  readonly stopRule: StopRule;
}

/** What was generated. */
export interface Generation {
  /** Without the prompt and without an end-of-sequence token. */
  readonly ids: readonly number[];
  readonly finishReason: FinishReason;
}

/** Tokens as they are chosen; ends with the reason. Leaving the loop early frees what it holds. */
export async function* generateTokens(
  model: NextTokenModel,
  request: GenerationRequest,
  options: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<number, FinishReason, void> {
  checkSampling(request);
  const batch = await start(model, [request], options.signal);
  try {
    const sequence = new Sequence(request);
    for (;;) {
      const isOutput = sequence.choose(batch.logitsOf(0));
      if (isOutput) yield sequence.lastId;
      if (sequence.finishReason !== undefined) return sequence.finishReason;
      await batch.step([sequence.lastId], options);
    }
  } finally {
    batch.dispose();
  }
}

/** All requests generated together, step by step; a finished one waits for the others. */
export async function generateTogether(
  model: NextTokenModel,
  requests: readonly GenerationRequest[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Generation[]> {
  for (const request of requests) checkSampling(request);
  const batch = await start(model, requests, options.signal);
  try {
    const sequences = requests.map((request) => new Sequence(request));
    for (;;) {
      for (const [row, sequence] of sequences.entries()) {
        if (sequence.finishReason === undefined) sequence.choose(batch.logitsOf(row));
      }
      if (sequences.every(({ finishReason }) => finishReason !== undefined)) break;
      await batch.step(
        sequences.map(({ lastId }) => lastId),
        options,
      );
    }
    return sequences.map(({ ids, finishReason }) => ({ ids, finishReason: finishReason! }));
  } finally {
    batch.dispose();
  }
}

function start(
  model: NextTokenModel,
  requests: readonly GenerationRequest[],
  signal: AbortSignal | undefined,
): Promise<DecodingBatch> {
  const prompts = requests.map(({ promptIds }) => promptIds);
  const longest = Math.max(...prompts.map(({ length }) => length));
  const steps = Math.max(...requests.map(({ maxNewTokens }) => maxNewTokens));
  return model.start(prompts, { capacity: longest + steps, signal });
}

/** The state of one generation. */
class Sequence {
  readonly ids: number[] = [];
  finishReason: FinishReason | undefined;
  /** The token chosen last, output or not. */
  lastId = 0;
  readonly #request: GenerationRequest;
  readonly #penalties: Penalties;

  constructor(request: GenerationRequest) {
    this.#request = request;
    this.#penalties = new Penalties(request, request.promptIds);
  }

  /** Takes the next token; true when it belongs to the output. */
  choose(logits: Float32Array): boolean {
    const { seed = 0, stopRule } = this.#request;
    const { bias, ...penalties } = this.#penalties.fields();
    this.lastId = sampleToken(logits, {
      ...this.#request,
      ...penalties,
      ...(bias && { logitBias: bias }),
      uniform: uniformAt(seed, this.ids.length),
    });
    this.#penalties.add(this.lastId);
    const end = stopRule.accept(this.lastId);
    this.finishReason = end?.finishReason;
    const isOutput = end?.isOutput ?? true;
    if (isOutput) this.ids.push(this.lastId);
    return isOutput;
  }
}

// One generation as work for the engine: what is read after its last token, and what becomes of the answer. No loop.
import { uniformAt } from "@flacuna/tensor";
import type { TokenConstraint } from "../constraint/token-constraint.ts";
import type { SamplingOptions } from "../generate/sampler.ts";
import type { FinishReason, StopRule } from "../generate/stopping.ts";
import { checkFinite } from "./check-finite.ts";
import { Penalties } from "./penalties.ts";
import type { Work } from "./sequence.ts";
import type { Read, Selection, StepResult, TokenLogProb } from "./step-model.ts";

/** A token of a generation. */
export interface GeneratedToken {
  readonly id: number;
  /** Nats, under the model's own distribution: no penalty, bias, constraint or temperature. */
  readonly logProb: number;
  /** The most likely tokens, as many as were asked for, falling. */
  readonly top: readonly TokenLogProb[];
}

/** What is generated, and how tokens are chosen. */
export interface GenerationRequest extends SamplingOptions {
  /** One token at least. */
  readonly promptIds: readonly number[];
  /** Index of the adapter that all tokens go through. Default 0: none. */
  readonly adapter?: number;
  /** Decides all draws, with the number of tokens before each. Default 0. */
  readonly seed?: number;
  /** How many of the most likely tokens to report beside each token. Default 0. */
  readonly topLogProbs?: number;
}

/** Where a generation's tokens go. */
export interface GenerationOutput {
  push(token: GeneratedToken): void;
  end(reason: FinishReason): void;
  fail(error: unknown): void;
}

/** What a generation is made of. */
export interface GenerationParts {
  readonly request: GenerationRequest;
  readonly vocabSize: number;
  /** Used for this generation alone. */
  readonly stopRule: StopRule;
  /** Which tokens may come next; used for this generation alone. Default: all. */
  readonly constraint?: TokenConstraint | undefined;
  readonly output: GenerationOutput;
}

/** The work of generating one sequence. */
export class Generation implements Work {
  readonly tokens: number[];
  readonly adapter: number;
  readonly #request: GenerationRequest;
  readonly #stopRule: StopRule;
  readonly #constraint: TokenConstraint | undefined;
  readonly #output: GenerationOutput;
  readonly #promptLength: number;
  readonly #penalties: Penalties;
  readonly #mask: Int32Array | undefined;

  constructor({ request, vocabSize, stopRule, constraint, output }: GenerationParts) {
    this.tokens = [...request.promptIds];
    this.adapter = request.adapter ?? 0;
    this.#request = request;
    this.#stopRule = stopRule;
    this.#constraint = constraint;
    this.#output = output;
    this.#promptLength = request.promptIds.length;
    this.#penalties = new Penalties(request, request.promptIds);
    if (constraint) this.#mask = new Int32Array(Math.ceil(vocabSize / 32));
  }

  /** The last token is read from, and no other. */
  readPosition(index: number): number | undefined {
    return index === 0 ? this.tokens.length - 1 : undefined;
  }

  prepare(): Iterable<void> {
    return this.#constraint?.prepare?.() ?? [];
  }

  reads(start: number, end: number): Read[] {
    return end === this.tokens.length ? [{ offset: end - 1 - start, selection: this.#selection() }] : [];
  }

  accept([result]: readonly StepResult[]): boolean {
    checkFinite(result!);
    const { token: id, logProb, top } = result!;
    const constraint = this.#constraint;
    const stop = this.#stopRule.accept(id);
    if (stop?.isOutput !== false) {
      constraint?.accept(id);
      this.#output.push({ id, logProb, top });
    }
    const reason = stop?.finishReason ?? (constraint?.isDone ? "stop" : undefined);
    if (reason !== undefined) {
      this.#output.end(reason);
      return true;
    }
    this.tokens.push(id);
    this.#penalties.add(id);
    return false;
  }

  fail(error: unknown): void {
    this.#output.fail(error);
  }

  #selection(): Selection {
    const { temperature = 0, topK = 0, topP = 1, minP = 0, seed = 0, topLogProbs = 0 } = this.#request;
    const mask = this.#mask;
    if (mask) this.#constraint?.fill(mask);
    return {
      ...{ temperature, topK, topP, minP, top: topLogProbs },
      uniform: uniformAt(seed, this.tokens.length - this.#promptLength),
      ...this.#penalties.fields(),
      ...(mask && { mask }),
    };
  }
}

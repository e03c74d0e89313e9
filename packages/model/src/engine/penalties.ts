// The part of a selection that depends on the tokens so far: what was seen how often, and biases. Chooses nothing.
import type { SamplingOptions } from "../generate/sampler.ts";
import type { Selection } from "./step-model.ts";

/** How tokens are made more or less likely. */
type PenaltyOptions = Pick<
  SamplingOptions,
  "repetitionPenalty" | "frequencyPenalty" | "presencePenalty" | "logitBias"
>;

type PenaltyFields = Pick<
  Selection,
  "repetitionPenalty" | "frequencyPenalty" | "presencePenalty" | "seen" | "bias"
>;

/** Penalties of one generation. */
export class Penalties {
  readonly #repetition: number;
  readonly #frequency: number;
  readonly #presence: number;
  readonly #generated = new Map<number, number>();
  /** Prompt and generated tokens; kept for the repetition penalty alone. */
  readonly #seen = new Map<number, number>();
  readonly #bias: Map<number, number>;

  constructor(options: PenaltyOptions, promptIds: readonly number[]) {
    this.#repetition = options.repetitionPenalty ?? 1;
    this.#frequency = options.frequencyPenalty ?? 0;
    this.#presence = options.presencePenalty ?? 0;
    this.#bias = new Map(options.logitBias);
    if (this.#repetition !== 1) for (const id of promptIds) increment(this.#seen, id);
  }

  /** Counts a generated token. */
  add(id: number): void {
    if (this.#isFolded) {
      const isNew = !this.#generated.has(id);
      const penalty = this.#frequency + (isNew ? this.#presence : 0);
      this.#bias.set(id, (this.#bias.get(id) ?? 0) - penalty);
    }
    increment(this.#generated, id);
    if (this.#repetition !== 1) increment(this.#seen, id);
  }

  /** The fields as they are now; the maps go on changing. */
  fields(): PenaltyFields {
    const additive = this.#isFolded
      ? { frequencyPenalty: 0, presencePenalty: 0 }
      : { frequencyPenalty: this.#frequency, presencePenalty: this.#presence };
    const seen = this.#repetition !== 1 ? this.#seen : this.#generated;
    return {
      repetitionPenalty: this.#repetition,
      ...additive,
      ...((this.#repetition !== 1 || this.#hasAdditive) && { seen }),
      ...(this.#bias.size > 0 && { bias: this.#bias }),
    };
  }

  get #hasAdditive(): boolean {
    return this.#frequency !== 0 || this.#presence !== 0;
  }

  /** A selection counts tokens in one way; where two are needed, frequency and presence go into the bias. */
  get #isFolded(): boolean {
    return this.#repetition !== 1 && this.#hasAdditive;
  }
}

function increment(counts: Map<number, number>, id: number): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}

// How the next token is chosen, as callers say it: options with defaults and ranges, checked. The choice is `chooseToken`'s.
import { ModelError } from "../errors.ts";
import { chooseToken } from "./select-token.ts";

/**
 * How the next token is chosen: penalties and biases change the logits, then the most likely token is taken, or one is
 * drawn of those that `topK`, `topP` and `minP` keep, in this order.
 */
export interface SamplingOptions {
  /** Logits are divided by it; 0 takes the most likely token. Default 0. */
  readonly temperature?: number;
  /** Keep the `topK` most likely tokens. Default: all. */
  readonly topK?: number;
  /** Keep the fewest most likely tokens whose probabilities reach `topP`, in (0, 1]. Default 1. */
  readonly topP?: number;
  /** Keep the tokens whose probability is at least this share of the most likely one's, in [0, 1]. Default 0. */
  readonly minP?: number;
  /** Over the prompt and what follows: divides positive and multiplies negative logits. Over 0; default 1. */
  readonly repetitionPenalty?: number;
  /** Over what follows the prompt: taken off a token's logit for each occurrence. Default 0. */
  readonly frequencyPenalty?: number;
  /** Over what follows the prompt: taken off once. Default 0. */
  readonly presencePenalty?: number;
  /** Added to the logits of these tokens; −100 all but bans one. */
  readonly logitBias?: ReadonlyMap<number, number>;
}

/** What decides a choice beside its options. */
export interface SamplingState {
  /** In [0, 1): decides a draw. */
  readonly uniform: number;
  /** How often each token was seen before: what penalties go by. */
  readonly seen?: ReadonlyMap<number, number>;
  /** One bit per token, the lowest bit of entry 0 for token 0: set where it may be chosen. Default: all. */
  readonly mask?: Int32Array;
}

/**
 * The next token's id. Equal logits go to the lower id, and a draw goes through the kept tokens by rising id.
 *
 * @param logits [V]
 * @throws ModelError `MODEL_LOGITS_NOT_FINITE` when there is nothing to choose from, `MODEL_INVALID_ARGUMENT`
 */
export function sampleToken(logits: Float32Array, options: SamplingOptions & SamplingState): number {
  checkSampling(options);
  const { logitBias: bias, uniform, seen, mask } = options;
  const token = chooseToken(logits, {
    temperature: options.temperature ?? 0,
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    uniform,
    repetitionPenalty: options.repetitionPenalty ?? 1,
    frequencyPenalty: options.frequencyPenalty ?? 0,
    presencePenalty: options.presencePenalty ?? 0,
    ...(seen && { seen }),
    ...(bias && { bias }),
    ...(mask && { mask }),
  });
  if (token >= 0) return token;
  throw new ModelError(
    "MODEL_LOGITS_NOT_FINITE",
    "the model's logits are not finite, or no token may be chosen; are its weights damaged?",
  );
}

type Range = readonly [isValid: (value: number) => boolean, text: string];

const RANGES = {
  temperature: [(value) => value >= 0 && Number.isFinite(value), "0 or more"],
  topK: [(value) => Number.isSafeInteger(value) && value >= 1, "a positive integer"],
  topP: [(value) => value > 0 && value <= 1, "over 0 and at most 1"],
  minP: [(value) => value >= 0 && value <= 1, "from 0 to 1"],
  repetitionPenalty: [(value) => value > 0 && Number.isFinite(value), "a number over 0"],
  frequencyPenalty: [Number.isFinite, "a number"],
  presencePenalty: [Number.isFinite, "a number"],
} as const satisfies Partial<Record<keyof SamplingOptions, Range>>;

/** @throws ModelError `MODEL_INVALID_ARGUMENT` when an option is out of its range */
export function checkSampling(options: SamplingOptions): void {
  for (const [name, [isValid, range]] of Object.entries(RANGES)) {
    const value = options[name as keyof typeof RANGES];
    if (value !== undefined && !isValid(value))
      throw new ModelError("MODEL_INVALID_ARGUMENT", `${name} must be ${range}, got ${value}`);
  }
  for (const [id, bias] of options.logitBias ?? []) {
    if (Number.isSafeInteger(id) && id >= 0 && Number.isFinite(bias)) continue;
    const message = `logitBias must map token ids to numbers, got ${id}: ${bias}`;
    throw new ModelError("MODEL_INVALID_ARGUMENT", message);
  }
}

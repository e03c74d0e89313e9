// The choice of the next token, as pure functions of logits and a random number. Knows no model and no text.
import { ModelError } from "../errors.ts";

/** How the next token is chosen. */
export interface SamplingOptions {
  /** Logits are divided by it; 0 takes the most likely token. Default 0. */
  readonly temperature?: number;
  /** Keep the `topK` most likely tokens. Default: all. */
  readonly topK?: number;
  /** Keep the fewest most likely tokens whose probabilities reach `topP`, in (0, 1]. Default 1. */
  readonly topP?: number;
}

/**
 * The next token's id. Temperature is applied first, then `topK`, then `topP`; equal logits go to the lower id.
 *
 * @param logits [V]
 * @param options as given by the caller, plus `uniform` in [0, 1), which decides a draw
 * @throws ModelError `MODEL_LOGITS_NOT_FINITE` when there is nothing to choose from, `MODEL_INVALID_ARGUMENT`
 */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions & { readonly uniform: number },
): number {
  const { temperature = 0, topK = logits.length, topP = 1, uniform } = options;
  checkSampling(options);
  const best = argmax(logits);
  if (temperature === 0) return best;
  const weightOf = (id: number) => Math.exp((logits[id]! - logits[best]!) / temperature);
  const candidates = topK < logits.length ? largest(logits, topK) : Array.from(logits.keys());
  const nucleus = topP < 1 ? takeNucleus(candidates, weightOf, topP) : candidates;
  return nucleus[drawIndex(nucleus.map(weightOf), uniform)]!;
}

/**
 * The id of the largest logit, the lowest of equals.
 *
 * @throws ModelError `MODEL_LOGITS_NOT_FINITE` when the largest is not a finite number, or one is not a number
 */
export function argmax(logits: Float32Array): number {
  let best = 0;
  let isBroken = logits.length === 0;
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id]!;
    if (value > logits[best]!) best = id;
    if (Number.isNaN(value)) isBroken = true;
  }
  if (isBroken || !Number.isFinite(logits[best]!)) {
    throw new ModelError(
      "MODEL_LOGITS_NOT_FINITE",
      "the model's logits are not finite; are its weights damaged?",
    );
  }
  return best;
}

/** @throws ModelError `MODEL_INVALID_ARGUMENT` when an option is out of its range */
export function checkSampling({ temperature = 0, topK = 1, topP = 1 }: SamplingOptions): void {
  const rules: readonly (readonly [name: string, value: number, isValid: boolean, range: string])[] = [
    ["temperature", temperature, temperature >= 0 && Number.isFinite(temperature), "0 or more"],
    ["topK", topK, Number.isSafeInteger(topK) && topK >= 1, "a positive integer"],
    ["topP", topP, topP > 0 && topP <= 1, "over 0 and at most 1"],
  ];
  for (const [name, value, isValid, range] of rules) {
    if (!isValid) throw new ModelError("MODEL_INVALID_ARGUMENT", `${name} must be ${range}, got ${value}`);
  }
}

/** Ids of the `count` largest values, in falling order. */
function largest(values: Float32Array, count: number): number[] {
  const byValue = (a: number, b: number) => values[b]! - values[a]! || a - b;
  let ids: number[] = [];
  let threshold = -Infinity;
  // Sorting rarely, with room for as many again, keeps this linear in the vocabulary.
  for (let id = 0; id < values.length; id++) {
    if (values[id]! <= threshold) continue;
    if (ids.push(id) < 2 * count) continue;
    ids = ids.sort(byValue).slice(0, count);
    threshold = values[ids[count - 1]!]!;
  }
  return ids.sort(byValue).slice(0, count);
}

/** The fewest of `candidates`, the likeliest first, that hold the share `topP` of their weight; at least one. */
function takeNucleus(
  candidates: readonly number[],
  weightOf: (id: number) => number,
  topP: number,
): number[] {
  const total = candidates.reduce((sum, id) => sum + weightOf(id), 0);
  // All tokens lighter than this hold less than 1 - topP together, so the nucleus lies among the others.
  const least = ((1 - topP) * total) / candidates.length;
  const ordered = candidates.filter((id) => weightOf(id) >= least);
  ordered.sort((a, b) => weightOf(b) - weightOf(a) || a - b);
  let sum = 0;
  const end = ordered.findIndex((id) => {
    sum += weightOf(id);
    return sum >= topP * total;
  });
  return end < 0 ? ordered : ordered.slice(0, end + 1);
}

/** The index that `uniform` falls on in the cumulated `weights`. */
function drawIndex(weights: readonly number[], uniform: number): number {
  let rest = uniform * weights.reduce((a, b) => a + b, 0);
  const index = weights.findIndex((weight) => {
    rest -= weight;
    return rest < 0;
  });
  // Rounding can leave a remainder of zero: the last token that has any weight.
  return index >= 0 ? index : weights.findLastIndex((weight) => weight > 0);
}

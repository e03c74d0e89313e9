// The choice of a token from logits as a pure function: what the operator of `selectTokens` computes, for where there is none.
import type { Selection, StepResult } from "../engine/step-model.ts";

/**
 * The token that `selection` asks for, and what is known of it; −1 where logits are not finite or none may be chosen.
 *
 * @param logits [V]
 */
export function selectToken(logits: Float32Array, selection: Selection): StepResult {
  const best = largestId(logits);
  if (best < 0) return { token: -1, logProb: Number.NaN, isGreedy: false, top: [] };
  const logSum = logSumExp(logits, logits[best]!);
  const logProbOf = (id: number) => Math.fround(logits[id]! - logSum);
  const token = selection.forced ?? chooseToken(logits, selection);
  return {
    token,
    logProb: token < 0 ? Number.NaN : logProbOf(token),
    isGreedy: token === best,
    top: largestIds(logits, selection.top).map((id) => ({ id, logProb: logProbOf(id) })),
  };
}

/** What a token is chosen by: a `Selection` but for what is reported. */
export type TokenChoiceOptions = Omit<Selection, "forced" | "top">;

/**
 * The token chosen from logits: penalties, biases and mask; then the largest at temperature 0, else of the `topK` largest
 * the fewest that hold `topP` of the weight, of these the weights of at least `minP` times the largest, and of these, by
 * rising id, the first with which the cumulated weight exceeds `uniform` times the total. Equal logits go to the lower id.
 *
 * @param logits [V]
 * @returns −1 where none may be chosen, or the largest is not finite, or one is not a number
 */
export function chooseToken(logits: Float32Array, options: TokenChoiceOptions): number {
  const [temperature, topP, minP, uniform] = [
    options.temperature,
    options.topP,
    options.minP,
    options.uniform,
  ].map(Math.fround) as [number, number, number, number];
  const changed = changeLogits(logits, options);
  const best = largestId(changed);
  if (best < 0 || temperature === 0) return best;
  const weightOf = (id: number) => Math.exp((changed[id]! - changed[best]!) / temperature);
  const { topK } = options;
  const top = topK > 0 && topK < changed.length ? largestIds(changed, topK) : Array.from(changed.keys());
  const nucleus = topP < 1 ? takeNucleus(top, weightOf, topP) : top;
  const kept = minP > 0 ? nucleus.filter((id) => weightOf(id) >= minP) : nucleus;
  kept.sort((a, b) => a - b);
  return kept[drawIndex(kept.map(weightOf), uniform)]!;
}

/** Ids of the `count` largest values, falling; the lower id first among equals. */
function largestIds(values: Float32Array, count: number): number[] {
  const byValue = (a: number, b: number) => values[b]! - values[a]! || a - b;
  let ids: number[] = [];
  let threshold = Number.NEGATIVE_INFINITY;
  // Sorting rarely, with room for as many again, keeps this linear in the vocabulary.
  for (let id = 0; count > 0 && id < values.length; id++) {
    if (ids.length >= count && values[id]! <= threshold) continue;
    if (ids.push(id) < 2 * count) continue;
    ids = ids.sort(byValue).slice(0, count);
    threshold = values[ids[count - 1]!]!;
  }
  return ids.sort(byValue).slice(0, count);
}

/** The id of the largest logit, the lowest of equals; −1 when it is not finite, or one is not a number. */
function largestId(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id]!;
    if (value > logits[best]!) best = id;
    if (Number.isNaN(value)) return -1;
  }
  return Number.isFinite(logits[best]) ? best : -1;
}

function logSumExp(logits: Float32Array, largest: number): number {
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}

/** The logits with penalties, biases and mask: as they are when there are none, else in memory of their own. */
function changeLogits(logits: Float32Array, options: TokenChoiceOptions): Float32Array {
  const { seen, bias, mask } = options;
  if (!seen?.size && !bias?.size && !mask) return logits;
  const changed = logits.slice();
  for (const id of new Set([...(seen?.keys() ?? []), ...(bias?.keys() ?? [])])) {
    changed[id] = penalise(logits[id]!, seen?.get(id) ?? 0, options) + Math.fround(bias?.get(id) ?? 0);
  }
  if (mask) {
    for (let id = 0; id < changed.length; id++)
      if (((mask[id >> 5]! >>> (id & 31)) & 1) === 0) changed[id] = Number.NEGATIVE_INFINITY;
  }
  return changed;
}

/** A logit of a token seen `count` times. Numbers are the operator's, float32; the result is rounded when it is stored. */
function penalise(logit: number, count: number, options: TokenChoiceOptions): number {
  if (count === 0) return logit;
  const repetition = Math.fround(options.repetitionPenalty);
  const scaled = logit > 0 ? logit / repetition : logit * repetition;
  return scaled - Math.fround(options.frequencyPenalty) * count - Math.fround(options.presencePenalty);
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

/** The first index with which the cumulated `weights` exceed the share `uniform` of their sum. */
function drawIndex(weights: readonly number[], uniform: number): number {
  let rest = uniform * weights.reduce((a, b) => a + b, 0);
  const index = weights.findIndex((weight) => {
    rest -= weight;
    return rest < 0;
  });
  // Rounding can leave a remainder of zero: the last token that has any weight.
  return index >= 0 ? index : weights.findLastIndex((weight) => weight > 0);
}

// The choice of tokens from logits: one composite. Its definition compares each token with every other, for small vocabularies.
import type { Composite } from "../composite.ts";
import { TensorError } from "../errors.ts";
import { kernel } from "../onnx/kernel.ts";
import {
  add,
  argmax,
  broadcastTo,
  cast,
  concat,
  constant,
  dimValue,
  div,
  equal,
  exp,
  full,
  gather,
  greater,
  greaterEqual,
  iota,
  isFinite,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  max,
  maximum,
  minimum,
  mod,
  mul,
  reshape,
  scatterAdd,
  split,
  sub,
  sum,
  takeAlong,
  where,
} from "../ops.ts";
import { type Dim, mulDims } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { logSoftmax } from "./softmax.ts";

/** Columns of the tables of numbers and integers; the last of each is 0. */
const NUMBERS = 8;
const INTEGERS = 4;
/** Tokens of one word of a mask. */
const WORD = 32;

const last = { axis: -1, keepDims: true } as const;

/** The columns of a table [N, count], each [N, 1]. */
const columnsOf = (table: Tracer, count: number): readonly Tracer[] =>
  split(table, { axis: -1, sizes: new Array<number>(count).fill(1) });

/** The ids of a vocabulary along the last axis of two. */
const idsOf = (vocabulary: number): Tracer => reshape(iota(vocabulary), [1, vocabulary]);

/** Whether any of a row [R, V] bool is true: [R, 1]. */
const any = (x: Tracer): Tracer => greater(max(cast(x, "float32"), last), 0);

/** What penalties are computed from; numbers [R, 1], seen [M, 2] and counts [M, 2]. */
interface Penalties {
  readonly repetition: Tracer;
  readonly frequency: Tracer;
  readonly presence: Tracer;
  readonly seen: Tracer;
  readonly counts: Tracer;
}

/** Logits [R, V] with penalties and biases. */
function penalise(logits: Tracer, { repetition, frequency, presence, seen, counts }: Penalties): Tracer {
  const [R, V] = logits.shape as [Dim, number];
  const M = seen.shape[0]!;
  const [row, id] = columnsOf(cast(seen, "int64"), 2);
  const place = reshape(add(mul(row!, V), id!), [M]);
  const [count, bias] = columnsOf(cast(counts, "float64"), 2).map((column) =>
    reshape(scatterAdd(mulDims(R, V), place, reshape(column, [M])), [R, V]),
  );
  const scaled = where(greater(logits, 0), div(logits, repetition), mul(logits, repetition));
  const lowered = sub(sub(scaled, mul(frequency, count!)), presence);
  return add(where(greater(count!, 0), lowered, logits), bias!);
}

/** [R, V] bool: the bits of each row's mask; all of them where it has none. */
function allowedBy(masks: Tracer, maskRow: Tracer, vocabulary: number): Tracer {
  const [Q, words] = masks.shape as [Dim, number];
  const R = maskRow.shape[0]!;
  const table = concat([cast(masks, "int64"), full([1, words], -1, "int64")], 0);
  const row = reshape(where(less(maskRow, 0), dimValue(Q, "int64"), maskRow), [R]);
  const wordOf = broadcastTo(div(idsOf(vocabulary), WORD), [R, vocabulary]);
  const word = mod(takeAlong(gather(table, row), wordOf, 1), 2 ** WORD);
  const powers = Array.from({ length: WORD }, (_, bit) => 2 ** bit);
  const power = gather(constant(Tensor.fromArray("int64", [WORD], powers)), mod(idsOf(vocabulary), WORD));
  return equal(mod(div(word, power), 2), 1);
}

/** [R, V, V] bool: whether the token of the last axis goes before that of the second; the lower id among equals. */
function goesBefore(x: Tracer): Tracer {
  const [R, V] = x.shape as [Dim, number];
  const [own, other] = [reshape(x, [R, V, 1]), reshape(x, [R, 1, V])];
  const isEarlier = less(reshape(iota(V), [1, 1, V]), reshape(iota(V), [1, V, 1]));
  return logicalOr(less(own, other), logicalAnd(equal(own, other), isEarlier));
}

/** [R, V]: for each token the sum over those that a relation [R or 1, V, V] holds for. */
function sumOver(relation: Tracer, values: Tracer): Tracer {
  const [R, V] = values.shape as [Dim, number];
  return sum(mul(cast(relation, "float64"), reshape(values, [R, 1, V])), { axis: -1 });
}

/** How a token is drawn, each [R, 1]. */
interface Draw {
  readonly temperature: Tracer;
  readonly topK: Tracer;
  readonly topP: Tracer;
  readonly minP: Tracer;
  readonly uniform: Tracer;
}

/** [R, 1] int64: the token drawn from logits [R, V] float64. */
function draw(logits: Tracer, { temperature, topK, topP, minP, uniform }: Draw): Tracer {
  const [R, V] = logits.shape as [Dim, number];
  const before = goesBefore(logits);
  const rank = sumOver(before, full([R, V], 1, "float64"));
  const isTop = logicalOr(lessEqual(topK, 0), less(rank, cast(topK, "float64")));
  const powers = exp(div(sub(logits, max(logits, last)), temperature));
  const weights = where(isTop, powers, 0);
  const isReached = less(sumOver(before, weights), mul(topP, sum(weights, last)));
  const isKept = logicalAnd(logicalOr(lessEqual(1, topP), isReached), lessEqual(minimum(minP, 1), weights));
  const kept = where(isKept, weights, 0);
  const isUpTo = lessEqual(reshape(iota(V), [1, 1, V]), reshape(iota(V), [1, V, 1]));
  const isPast = less(mul(uniform, sum(kept, last)), sumOver(isUpTo, kept));
  const first = reshape(argmax(cast(isPast, "float32"), { axis: -1 }), [R, 1]);
  const final = max(where(greater(kept, 0), cast(idsOf(V), "float64"), -1), last);
  return where(any(isPast), first, cast(final, "int64"));
}

/** The `top` largest of each row [R, V] in falling order: [R, top] of their ids and of `values` [R, V] there. */
function largestOf(logits: Tracer, values: Tracer, top: number): readonly [ids: Tracer, values: Tracer] {
  const [R, V] = logits.shape as [Dim, number];
  const rank = sumOver(goesBefore(logits), full([R, V], 1, "float64"));
  const isAt = equal(reshape(rank, [R, 1, V]), reshape(iota(top, "float64"), [1, top, 1])); // [R, top, V]
  const taken = (x: Tracer) => sum(where(isAt, x, 0), { axis: -1 });
  return [taken(reshape(cast(idsOf(V), "float64"), [1, 1, V])), taken(reshape(values, [R, 1, V]))];
}

const SELECT_TOKENS: Composite = {
  name: "selectTokens",
  define([logits, numbers, integers, seen, counts, masks], { top }) {
    const [R, V] = logits!.shape as [Dim, number];
    const [temperature, topP, minP, uniform, repetition, frequency, presence] = columnsOf(
      cast(numbers!, "float64"),
      NUMBERS,
    ) as [Tracer, Tracer, Tracer, Tracer, Tracer, Tracer, Tracer];
    const [topK, forced, maskRow] = columnsOf(cast(integers!, "int64"), INTEGERS) as [Tracer, Tracer, Tracer];
    const raw = cast(logits!, "float64");
    const penalised = penalise(raw, { repetition, frequency, presence, seen: seen!, counts: counts! });
    // Rounded once, as the kernel does it.
    const changed = cast(cast(penalised, "float32"), "float64");
    const choice = where(allowedBy(masks!, maskRow, V), changed, Number.NEGATIVE_INFINITY);
    const isSound = (x: Tracer) =>
      logicalAnd(logicalNot(any(logicalNot(equal(x, x)))), isFinite(max(x, last)));
    const [isForced, isWarm] = [greaterEqual(forced, 0), greater(temperature, 0)];
    const isGood = logicalAnd(
      isSound(raw),
      logicalOr(isForced, logicalAnd(isSound(changed), isSound(choice))),
    );
    const likeliest = (x: Tracer) => reshape(argmax(cast(x, "float32"), { axis: -1 }), [R, 1]);
    const heat = where(isWarm, temperature, 1);
    const drawn = draw(choice, { temperature: heat, topK, topP, minP, uniform });
    const token = where(isForced, forced, where(isWarm, drawn, likeliest(choice)));
    const logProbs = logSoftmax(raw);
    const logProb = takeAlong(logProbs, minimum(maximum(token, 0), V - 1), 1);
    const isGreedy = logicalAnd(isGood, equal(token, likeliest(raw)));
    const [topIds, topLogProbs] = largestOf(raw, logProbs, top!);
    const perRow = (x: Tracer, dtype: "int32" | "float32") => reshape(cast(x, dtype), [R]);
    return [
      perRow(where(isGood, token, -1), "int32"),
      perRow(where(isGood, logProb, Number.NaN), "float32"),
      perRow(isGreedy, "int32"),
      cast(where(isSound(raw), topIds, -1), "int32"),
      cast(where(isSound(raw), topLogProbs, Number.NaN), "float32"),
    ];
  },
  lower: kernel("SelectTokens"),
};

/** How the token of each row is chosen. */
export interface SelectTokensOptions {
  /** [R, 8] float32: temperature, topP, minP, uniform, repetition penalty, frequency penalty, presence penalty, 0 */
  readonly numbers: Tracer;
  /** [R, 4] int32: topK (0: all), the token to take whatever the logits (−1: none), row of `masks` (−1: none), 0 */
  readonly integers: Tracer;
  /** [M, 2] int32: row and token that have a count or a bias, in the order of rows, each token of a row once */
  readonly seen: Tracer;
  /** [M, 2] float32: how often it has been seen, and its bias */
  readonly counts: Tracer;
  /** [Q, ⌈V / 32⌉] int32: bits of the tokens that may be chosen, the lowest first */
  readonly masks: Tracer;
  /** how many of the likeliest tokens are returned, at most V */
  readonly top: number;
}

/** What is known of each chosen token. */
export interface SelectedTokens {
  /** [R] int32; −1 where logits are not finite, or none may be chosen */
  readonly token: Tracer;
  /** [R] float32, nats: under the logits as they came, without temperature and penalties; NaN for −1 */
  readonly logProb: Tracer;
  /** [R] int32: whether it is the first of the largest logits as they came */
  readonly isGreedy: Tracer;
  /** [R, top] int32: ids of the largest of these, falling; −1 where they are not finite */
  readonly topIds: Tracer;
  /** [R, top] float32 */
  readonly topLogProbs: Tracer;
}

/**
 * The next token of every row of logits, a function of that row's logits and options alone.
 *
 * A logit l of a token seen before becomes l / p where it is positive and l · p elsewhere, with the repetition penalty p, and is lowered by the
 * frequency penalty times its count and by the presence penalty; biases are added; tokens outside of the mask are left out.
 * Temperature 0 takes the largest. Otherwise the topK largest are kept, of these by falling weight exp(l / temperature) as
 * few as hold the share topP, of these the weights from minP times the largest on; by rising id, the first one with which
 * the cumulated weights exceed `uniform` times their sum is drawn. Equal logits are in the order of their ids.
 *
 * Without native kernels this takes memory of R·V² numbers: take the logits out and choose on the host instead.
 *
 * @param logits [R, V] float32, V known
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when V is not known, or less than `top`
 */
export function selectTokens(logits: Tracer, options: SelectTokensOptions): SelectedTokens {
  const { numbers, integers, seen, counts, masks, top } = options;
  const vocabulary = logits.shape[1];
  if (typeof vocabulary !== "number" || !(Number.isSafeInteger(top) && top >= 0 && top <= vocabulary)) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `selectTokens: expected logits [R, V] of a known vocabulary and top from 0 to V, got V = ${vocabulary} and ${top}`,
    );
  }
  const inputs = [logits, numbers, integers, seen, counts, masks];
  const [token, logProb, isGreedy, topIds, topLogProbs] = bindComposite(SELECT_TOKENS, inputs, { top });
  return {
    token: token!,
    logProb: logProb!,
    isGreedy: isGreedy!,
    topIds: topIds!,
    topLogProbs: topLogProbs!,
  };
}

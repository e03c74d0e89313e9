// Causal grouped-query attention over whole sequences of packed documents, for training: two composites, forward and backward.
import type { Attributes, Composite } from "../composite.ts";
import { TensorError } from "../errors.ts";
import { kernel } from "../onnx/kernel.ts";
import {
  add,
  cast,
  constant,
  full,
  iota,
  lessEqual,
  logicalAnd,
  matmul,
  mul,
  neg,
  reshape,
  sub,
  sum,
  transpose,
  where,
} from "../ops.ts";
import { type Dim, mulDims, type Shape } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { expectShape } from "./expect-shape.ts";
import { rotate } from "./rotation.ts";
import { logSumExp, softmax } from "./softmax.ts";

/** Added to the score of a key that a query may not see: softmax turns it into zero. */
const HIDDEN = -1e30;

/** [B, T, H, D] → [B, H, T, D], and back. */
const HEADS_FIRST = [0, 2, 1, 3];

interface Sizes {
  readonly B: Dim;
  readonly T: Dim;
  /** query heads */
  readonly H: number;
  /** key/value heads */
  readonly K: number;
  readonly D: number;
}

function sizesOf(query: Tracer, key: Tracer, { headSize }: Attributes): Sizes {
  const [B, T, width] = query.shape as [Dim, Dim, number];
  return { B, T, H: width / headSize!, K: (key.shape[2] as number) / headSize!, D: headSize! };
}

/** [B, T, N·D] → [B, N, T, D] */
const toHeads = (x: Tracer, { B, T, D }: Sizes): Tracer =>
  transpose(reshape(x, [B, T, (x.shape[2] as number) / D, D]), HEADS_FIRST);

/** [B, N, T, D] → [B, T, N·D] */
const fromHeads = (x: Tracer, { B, T, D }: Sizes): Tracer =>
  reshape(transpose(x, HEADS_FIRST), [B, T, (x.shape[1] as number) * D]);

/** [B, H, T, X] → [B, K, (H/K)·T, X]: the query heads of a group share one product with their key/value head. */
const toGroups = (x: Tracer, { B, T, H, K }: Sizes): Tracer =>
  reshape(x, [B, K, mulDims(H / K, T), x.shape[3]!]);

/** [B, K, (H/K)·T, X] → [B, H, T, X] */
const fromGroups = (x: Tracer, { B, T, H }: Sizes): Tracer => reshape(x, [B, H, T, x.shape[3]!]);

/** Added to the scores, [B, 1, T, T]: 0 where a token sees a token of its document that is not after it. */
function visibilityBias(starts: Tracer, { B, T }: Sizes, dtype: Tracer["dtype"]): Tracer {
  const seen = reshape(iota(T), [1, 1, T]);
  const first = reshape(cast(starts, "int64"), [B, T, 1]);
  const isVisible = logicalAnd(lessEqual(seen, reshape(iota(T), [1, T, 1])), lessEqual(first, seen));
  return reshape(where(isVisible, constant(0, dtype), HIDDEN), [B, 1, T, T]);
}

/** The cosines and sines for keys, and for queries, whose scores they scale. */
function rotationsOf(cos: Tracer, sin: Tracer, { dtype }: Tracer, { D }: Sizes) {
  const key = [cast(cos, dtype), cast(sin, dtype)] as const;
  return { key, query: [mul(key[0], 1 / Math.sqrt(D)), mul(key[1], 1 / Math.sqrt(D))] as const };
}

/** Rotated queries [B, K, (H/K)·T, D], rotated keys and values [B, K, T, D], and the biased scores [B, H, T, T]. */
function scoresOf(inputs: readonly Tracer[], sizes: Sizes) {
  const [query, key, value, cos, sin, starts] = inputs as [Tracer, Tracer, Tracer, Tracer, Tracer, Tracer];
  const rotations = rotationsOf(cos, sin, query, sizes);
  const q = toGroups(rotate(toHeads(query, sizes), ...rotations.query), sizes);
  const k = rotate(toHeads(key, sizes), ...rotations.key);
  // A plain product: the runtime shares common subexpressions, but not those of its own product of a transposed operand.
  const products = fromGroups(matmul(q, transpose(k, [0, 1, 3, 2])), sizes);
  const scores = add(products, visibilityBias(starts, sizes, query.dtype));
  return { q, k, v: toHeads(value, sizes), scores, rotations };
}

/** Head sizes of the native kernels. */
const KERNEL = {
  attributes: ({ headSize, allowBfloat16 }: Attributes) => ({
    head_size: headSize!,
    allow_bfloat16: allowBfloat16!,
  }),
  accepts: ({ headSize }: Attributes) => headSize! % 16 === 0 && headSize! <= 256,
};

const CAUSAL_ATTENTION: Composite = {
  name: "causalAttention",
  // (query [B, T, H·D], key, value [B, T, K·D], cos, sin [T, D/2], starts [B, T]) → mixed [B, T, H·D], logSumExp [B, H, T]
  define(inputs, attributes) {
    const sizes = sizesOf(inputs[0]!, inputs[1]!, attributes);
    const { v, scores } = scoresOf(inputs, sizes);
    const mixed = matmul(toGroups(softmax(scores), sizes), v);
    return [fromHeads(fromGroups(mixed, sizes), sizes), logSumExp(scores)];
  },
  pullback([g], inputs, outputs, attributes) {
    if (g === undefined) return [];
    return bindComposite(CAUSAL_ATTENTION_GRAD, [g, ...inputs, ...outputs], attributes);
  },
  lower: kernel("Attention", KERNEL),
};

const CAUSAL_ATTENTION_GRAD: Composite = {
  name: "causalAttentionGrad",
  // (g [B, T, H·D], the inputs and outputs of causalAttention) → cotangents of query, key and value
  // dV = Pᵀ·dO,  dS = P ∘ (dO·Vᵀ − rowsum(dO ∘ O)),  dQ = dS·K,  dK = dSᵀ·Q, rotated back.
  // P = softmax(S) is exp(S − logSumExp); a runtime that shares common subexpressions keeps the forward's.
  define([g, query, key, value, cos, sin, starts, mixed], attributes) {
    const sizes = sizesOf(query!, key!, attributes);
    const { q, k, v, scores, rotations } = scoresOf([query!, key!, value!, cos!, sin!, starts!], sizes);
    const shares = softmax(scores);
    const output = toHeads(g!, sizes);
    const toShares = fromGroups(matmul(toGroups(output, sizes), v, { transposeB: true }), sizes);
    const drift = sum(mul(output, toHeads(mixed!, sizes)), { axis: -1, keepDims: true });
    const toScores = toGroups(mul(shares, sub(toShares, drift)), sizes);
    const toQuery = fromGroups(matmul(toScores, k), sizes);
    const toKey = matmul(toScores, q, { transposeA: true });
    const toValue = matmul(toGroups(shares, sizes), toGroups(output, sizes), { transposeA: true });
    const rotateBack = (x: Tracer, [c, s]: readonly [Tracer, Tracer]) =>
      fromHeads(rotate(x, c, neg(s)), sizes);
    return [
      rotateBack(toQuery, rotations.query),
      rotateBack(toKey, rotations.key),
      fromHeads(toValue, sizes),
    ];
  },
  lower: kernel("AttentionGrad", KERNEL),
};

/** The projections of whole sequences, before rotation. */
export interface CausalAttentionInputs {
  /** [B, T, H·D] */
  readonly query: Tracer;
  /** [B, T, K·D]; consecutive groups of H/K query heads share one key/value head */
  readonly key: Tracer;
  /** [B, T, K·D] */
  readonly value: Tracer;
}

/** What `causalAttention` reads beside the projections. */
export interface CausalAttentionOptions {
  /** D, even */
  readonly headSize: number;
  /** [T, D/2] cosines of the rotation by position in the row */
  readonly cos: Tracer;
  /** [T, D/2] sines */
  readonly sin: Tracer;
  /** [B, T] int32: where in its row each token's document begins; every row one document by default */
  readonly starts?: Tracer;
}

/**
 * softmax(q·kᵀ/√D)·v per head, after rotating queries and keys by their positions (half-split). A token sees the
 * tokens of its own document up to itself; as only differences of positions matter, a document gets what it would
 * get alone, wherever in a row it begins.
 *
 * @returns [B, T, H·D]
 * @throws TensorError `TENSOR_SHAPE_MISMATCH`
 * @see Vaswani et al. 2017, equation 1; Dao et al. 2022, appendix B, for rowsum(dO ∘ O)
 */
export function causalAttention(
  { query, key, value }: CausalAttentionInputs,
  options: CausalAttentionOptions,
): Tracer {
  const { headSize, cos, sin } = options;
  const [B, T, width] = query.shape as [Dim, Dim, Dim];
  const starts = options.starts ?? full([B, T], 0, "int32");
  const keyWidth = key.shape[2]!;
  expectHeads("key", keyWidth, headSize);
  expectHeads("query", width, keyWidth as number);
  const expected: readonly [string, Tracer, Shape][] = [
    ["key", key, [B, T, keyWidth]],
    ["value", value, [B, T, keyWidth]],
    ["cos", cos, [T, headSize / 2]],
    ["sin", sin, [T, headSize / 2]],
    ["starts", starts, [B, T]],
  ];
  for (const [name, operand, shape] of expected) expectShape("causalAttention", name, operand, shape);
  return bindComposite(CAUSAL_ATTENTION, [query, key, value, cos, sin, starts], {
    headSize,
    allowBfloat16: 0,
  })[0]!;
}

function expectHeads(name: string, width: Dim, unit: number): void {
  if (typeof width === "number" && width % unit === 0) return;
  const message = `causalAttention: the last axis of ${name} is ${width}, expected a multiple of ${unit}`;
  throw new TensorError("TENSOR_SHAPE_MISMATCH", message);
}

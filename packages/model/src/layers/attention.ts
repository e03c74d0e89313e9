// Causal grouped-query self-attention over a whole sequence, for training and scoring. No cache; see `cachedAttention`.
import {
  attention,
  constant,
  type Dim,
  iota,
  lessEqual,
  mul,
  reshape,
  type Tracer,
  transpose,
  where,
} from "@flacuna/tensor";
import { type Rotary, rotate } from "./rotary.ts";

/** The projections of a sequence. */
export interface Projected {
  /** [B, T, H·D] */
  readonly query: Tracer;
  /** [B, T, K·D]; consecutive groups of H/K query heads share one key/value head */
  readonly key: Tracer;
  /** [B, T, K·D] */
  readonly value: Tracer;
}

/** Added to the score of a key that a query may not see: softmax turns it into zero. */
const HIDDEN = -1e30;

/** Added to the scores, [T, T] float32: 0 on and below the diagonal, very negative above. */
export function causalBias(length: Dim): Tracer {
  const isVisible = lessEqual(reshape(iota(length), [1, length]), reshape(iota(length), [length, 1]));
  return where(isVisible, constant(0), HIDDEN);
}

/**
 * softmax(q·kᵀ/√D) · v per head, after rotating queries and keys by their positions.
 *
 * @param projected queries, keys and values before rotation
 * @param options `rotary` [T, D/2]; `bias` [T, T]
 * @returns [B, T, H·D]
 */
export function selfAttention(
  { query, key, value }: Projected,
  options: { readonly headDim: number; readonly rotary: Rotary<Tracer>; readonly bias: Tracer },
): Tracer {
  const { headDim: D, rotary, bias } = options;
  const [B, T, width] = query.shape as [Dim, Dim, number];
  const K = (key.shape[2] as number) / D;
  const G = width / D / K;
  const q = rotate(transpose(reshape(query, [B, T, K, G, D]), [0, 2, 3, 1, 4]), rotary); // [B, K, G, T, D]
  const k = rotate(transpose(reshape(key, [B, T, K, D]), [0, 2, 1, 3]), rotary); // [B, K, T, D]
  const v = transpose(reshape(value, [B, T, K, D]), [0, 2, 1, 3]); // [B, K, T, D]
  const mixed = attention(mul(q, 1 / Math.sqrt(D)), { key: k, value: v, bias });
  return reshape(transpose(mixed, [0, 3, 1, 2, 4]), [B, T, width]); // [B, K, G, T, D] → [B, T, H·D]
}

// Causal grouped-query self-attention over a whole sequence, for training and scoring. No cache; see `cachedAttention`.
import {
  cast,
  type Dim,
  iota,
  lessEqual,
  matmul,
  mul,
  mulDims,
  reshape,
  softmax,
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

/** A score that softmax turns into zero. */
const HIDDEN_SCORE = -1e30;

/** Which keys each query may see: [T, T] bool, true on and below the diagonal. */
export const causalMask = (length: Dim): Tracer =>
  lessEqual(reshape(iota(length), [1, length]), reshape(iota(length), [length, 1]));

/**
 * softmax(q·kᵀ/√D) · v per head, after rotating queries and keys by their positions; softmax in float32.
 *
 * @param projected queries, keys and values before rotation
 * @param options `rotary` [T, D/2]; `mask` [T, T] bool
 * @returns [B, T, H·D]
 */
export function attention(
  { query, key, value }: Projected,
  options: { readonly headDim: number; readonly rotary: Rotary<Tracer>; readonly mask: Tracer },
): Tracer {
  const { headDim: D, rotary, mask } = options;
  const [B, T, width] = query.shape as [Dim, Dim, number];
  const K = (key.shape[2] as number) / D;
  const G = width / D / K;
  // The G query heads of a group lie one after another along T: one product with their shared keys.
  const rows = mulDims(G, T);
  const q = rotate(transpose(reshape(query, [B, T, K, G, D]), [0, 2, 3, 1, 4]), rotary); // [B, K, G, T, D]
  const k = rotate(transpose(reshape(key, [B, T, K, D]), [0, 2, 1, 3]), rotary); // [B, K, T, D]
  const v = transpose(reshape(value, [B, T, K, D]), [0, 2, 1, 3]); // [B, K, T, D]
  const products = matmul(reshape(mul(q, 1 / Math.sqrt(D)), [B, K, rows, D]), k, { transposeB: true });
  const scores = where(mask, cast(reshape(products, [B, K, G, T, T]), "float32"), HIDDEN_SCORE);
  const shares = reshape(cast(softmax(scores), v.dtype), [B, K, rows, T]);
  const mixed = reshape(matmul(shares, v), [B, K, G, T, D]);
  return reshape(transpose(mixed, [0, 3, 1, 2, 4]), [B, T, width]); // [B, K, G, T, D] → [B, T, H·D]
}

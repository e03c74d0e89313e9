// Causal grouped-query attention over a key/value cache, for generation: the definition in primitives, and GroupQueryAttention.
import type { Composite } from "../composite.ts";
import {
  add,
  broadcastTo,
  cast,
  dimValue,
  gather,
  iota,
  less,
  lessEqual,
  logicalAnd,
  matmul,
  maximum,
  minimum,
  mul,
  reshape,
  split,
  sub,
  takeAlong,
  transpose,
  where,
} from "../ops.ts";
import type { Dim } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { rotate } from "./rotation.ts";
import { softmax } from "./softmax.ts";

interface Sizes {
  readonly B: Dim;
  readonly T: Dim;
  readonly S: Dim;
  readonly K: number;
  readonly D: number;
}

/** [B, T, N·D] → [B, N, T, D] */
const toHeads = (x: Tracer, count: number, { B, T, D }: Sizes): Tracer =>
  transpose(reshape(x, [B, T, count, D]), [0, 2, 1, 3]);

/** The cache [B, K, S, D] with rows [B, K, T, D] written from each sequence's first new position [B, 1] on. */
function append(cache: Tracer, rows: Tracer, first: Tracer, { B, T, S, K, D }: Sizes): Tracer {
  const count = dimValue(T, "int64");
  const offset = sub(reshape(iota(S), [1, S]), first); // [B, S]: which new row a slot takes
  const isNew = logicalAnd(lessEqual(0, offset), less(offset, count));
  const row = maximum(0, minimum(offset, sub(count, 1)));
  const source = broadcastTo(reshape(row, [B, 1, S, 1]), [B, K, S, D]);
  return where(reshape(isNew, [B, 1, S, 1]), takeAlong(rows, source, 2), cache);
}

/** GroupQueryAttention with rotation takes head sizes that are multiples of this. */
const FUSED_HEAD_SIZE_STEP = 16;

const CACHED_ATTENTION: Composite = {
  name: "cachedAttention",
  inPlace: [
    [1, 1],
    [2, 2],
  ],
  define([qkv, pastKey, pastValue, lastPosition, , cosTable, sinTable], { heads, keyValueHeads }) {
    const [B, T] = qkv!.shape as [Dim, Dim];
    const [, K, S, D] = pastKey!.shape as [Dim, number, Dim, number];
    const sizes: Sizes = { B, T, S, K, D };
    const H = heads!;
    const last = reshape(cast(lastPosition!, "int64"), [B, 1]);
    const first = maximum(0, sub(add(last, 1), dimValue(T, "int64"))); // [B, 1]
    const positions = add(first, reshape(iota(T), [1, T])); // [B, T]
    const [cos, sin] = [cosTable!, sinTable!].map((table) =>
      reshape(gather(table, positions), [B, 1, T, D / 2]),
    );
    const [q, k, v] = split(qkv!, { axis: -1, sizes: [H * D, K * D, K * D] });
    const query = rotate(toHeads(q!, H, sizes), cos!, sin!);
    const key = append(pastKey!, rotate(toHeads(k!, keyValueHeads!, sizes), cos!, sin!), first, sizes);
    const value = append(pastValue!, toHeads(v!, keyValueHeads!, sizes), first, sizes);
    const grouped = reshape(query, [B, K, H / K, T, D]);
    const scores = mul(
      matmul(grouped, reshape(key, [B, K, 1, S, D]), { transposeB: true }),
      1 / Math.sqrt(D),
    );
    const visible = lessEqual(reshape(iota(S), [1, 1, S]), reshape(positions, [B, T, 1])); // [B, T, S]
    const masked = where(reshape(visible, [B, 1, 1, T, S]), scores, -1e30);
    const mixed = matmul(softmax(masked), reshape(value, [B, K, 1, S, D]));
    return [reshape(transpose(reshape(mixed, [B, H, T, D]), [0, 2, 1, 3]), [B, T, H * D]), key, value];
  },
  lower(lowering, { inputs, outputs, params }) {
    const [qkv, pastKey, pastValue, lastPosition, totalLength, cos, sin] = inputs;
    const headSize = pastKey!.shape.at(-1) as number;
    if (headSize % FUSED_HEAD_SIZE_STEP !== 0) return false;
    lowering.emit(
      "GroupQueryAttention",
      [qkv, undefined, undefined, pastKey, pastValue, lastPosition, totalLength, cos, sin],
      outputs,
      { num_heads: params.attributes.heads!, kv_num_heads: params.attributes.keyValueHeads!, do_rotary: 1 },
      "com.microsoft",
    );
    return true;
  },
};

/** What `cachedAttention` reads beside the projections. */
export interface AttentionCache {
  /** [B, K, S, D]; give the same value as input and output to write in place */
  readonly key: Tracer;
  /** [B, K, S, D] */
  readonly value: Tracer;
  /** [B] int32: position of each sequence's last token, that is its length with the new tokens, minus one */
  readonly lastPosition: Tracer;
  /** [] int32: the longest of those lengths; equal to T exactly when the cache is empty */
  readonly totalLength: Tracer;
  /** [P, D/2] cosines of the rotation by position */
  readonly cos: Tracer;
  /** [P, D/2] sines */
  readonly sin: Tracer;
}

/**
 * Causal attention of T new tokens over themselves and a cache, with rotary positions applied.
 * With an empty cache rows may be padded on the right (`lastPosition` tells their lengths); with a filled one
 * T is 1, or B is 1. Positions past a row's length hold unspecified values.
 *
 * @param qkv [B, T, (H + 2K)·D]: query, key and value projections side by side
 * @returns the mixed values [B, T, H·D] and the cache with the new keys and values
 */
export function cachedAttention(
  qkv: Tracer,
  cache: AttentionCache,
  options: { readonly heads: number; readonly keyValueHeads: number },
): { readonly mixed: Tracer; readonly key: Tracer; readonly value: Tracer } {
  const { key, value, lastPosition, totalLength, cos, sin } = cache;
  const inputs = [qkv, key, value, lastPosition, totalLength, cos, sin];
  const [mixed, newKey, newValue] = bindComposite(CACHED_ATTENTION, inputs, { ...options });
  return { mixed: mixed!, key: newKey!, value: newValue! };
}

// Causal grouped-query attention of new tokens over keys and values in pages, for generation: the definition in primitives,
// and the native operator.
import type { Composite } from "../composite.ts";
import type { DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import {
  broadcastTo,
  cast,
  concat,
  div,
  equal,
  gather,
  iota,
  lessEqual,
  logicalAnd,
  matmul,
  max,
  mod,
  mul,
  reshape,
  scatter,
  sum,
  takeAlong,
  transpose,
  where,
} from "../ops.ts";
import { type Dim, formatShape, mulDims, type Shape } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { expectShape } from "./expect-shape.ts";
import { rotate } from "./rotation.ts";
import { softmax } from "./softmax.ts";

/** The score of a key that a token does not see: softmax turns it into zero. */
const HIDDEN = -1e30;

/** Keys [G, K, D, P] and values [G, K, P, D] of G pages of P positions. */
interface Pages {
  readonly keys: Tracer;
  readonly values: Tracer;
}

/** Where tokens are, in int64: the pages of sequences [S, E], each token's sequence [N] and position in it [N]. */
interface Places {
  readonly pages: Tracer;
  readonly sequence: Tracer;
  readonly positions: Tracer;
}

/** Indices [...shape, R] of R parts that broadcast to the shape. */
const joinIndices = (shape: Shape, parts: readonly Tracer[]): Tracer =>
  concat(
    parts.map((part) => reshape(broadcastTo(part, shape), [...shape, 1])),
    -1,
  );

/** The pages with the tokens' rotated keys and values, [N, K, D] each, in their places. */
function write(old: Pages, key: Tracer, value: Tracer, { pages, sequence, positions }: Places): Pages {
  const [N, K, D] = key.shape as [Dim, number, number];
  const pageSize = old.keys.shape[3] as number;
  const page = takeAlong(gather(pages, sequence), reshape(div(positions, pageSize), [N, 1]), 1); // [N, 1]
  const slot = mod(reshape(positions, [N, 1]), pageSize); // [N, 1]
  const head = reshape(iota(K), [1, K]);
  const wide = (x: Tracer): Tracer => reshape(x, [...x.shape, 1]);
  const keyPlaces = joinIndices([N, K, D], [wide(page), wide(head), reshape(iota(D), [1, 1, D]), wide(slot)]);
  const valuePlaces = joinIndices([N, K], [page, head, slot]);
  return {
    keys: scatter(old.keys, keyPlaces, cast(key, old.keys.dtype)),
    values: scatter(old.values, valuePlaces, cast(value, old.values.dtype)),
  };
}

/**
 * What rotated and scaled queries [K, H/K, N, D] mix of the values, [K, H/K, N, D]. All of them meet the pages of every
 * sequence, and only what they get of their own is kept.
 */
function mix(query: Tracer, { keys, values }: Pages, { pages, sequence, positions }: Places): Tracer {
  const [K, group, N, D] = query.shape as [number, number, Dim, number];
  const S = pages.shape[0]!;
  const C = mulDims(pages.shape[1]!, keys.shape[3]!);
  const rows = mulDims(group, N);
  const sideBySide = (pool: Tracer, order: readonly number[], shape: Shape): Tracer =>
    reshape(transpose(cast(gather(pool, pages), query.dtype), order), shape);
  const isOwn = equal(reshape(iota(S), [S, 1]), reshape(sequence, [1, N])); // [S, N]
  const ownSlots = reshape(isOwn, [S, 1, 1, N, 1]);
  const slot = iota(C);

  const scores = matmul(reshape(query, [1, K, rows, D]), sideBySide(keys, [0, 2, 3, 1, 4], [S, K, D, C]));
  const isSeen = lessEqual(reshape(slot, [1, C]), reshape(positions, [N, 1])); // [N, C]
  const isVisible = logicalAnd(ownSlots, reshape(isSeen, [1, 1, 1, N, C]));
  const shares = softmax(where(isVisible, reshape(scores, [S, K, group, N, C]), HIDDEN));

  // A share of zero does not undo a NaN: what a page holds past its sequence's last position is none of its values.
  const last = max(where(isOwn, reshape(positions, [1, N]), -1), { axis: 1, keepDims: true }); // [S, 1]
  const isFilled = reshape(lessEqual(reshape(slot, [1, C]), last), [S, 1, C, 1]);
  const filled = where(isFilled, sideBySide(values, [0, 2, 1, 3, 4], [S, K, C, D]), 0);
  const mixed = matmul(reshape(shares, [S, K, rows, C]), filled);
  return sum(where(ownSlots, reshape(mixed, [S, K, group, N, D]), 0), { axis: 0 });
}

/** The native operators, by the dtype of the pages. */
const OPERATORS: { readonly [D in DType]?: string } = {
  float32: "PagedAttention",
  float16: "PagedAttentionFloat16",
};

const PAGED_ATTENTION: Composite = {
  name: "pagedAttention",
  inPlace: [
    [3, 1],
    [4, 2],
  ],
  // (query [N, H·D], key, value [N, K·D], keys [G, K, D, P], values [G, K, P, D], pages [S, E], sequence, positions [N],
  // cos, sin [L, D/2]) → mixed [N, H·D], keys, values
  define([query, key, value, keys, values, pages, sequence, positions, cosTable, sinTable]) {
    const [, K, D] = keys!.shape as [Dim, number, number];
    const [N, width] = query!.shape as [Dim, number];
    const places = {
      pages: cast(pages!, "int64"),
      sequence: cast(sequence!, "int64"),
      positions: cast(positions!, "int64"),
    };
    const [cos, sin] = [cosTable!, sinTable!].map((table) =>
      reshape(gather(table, places.positions), [N, 1, D / 2]),
    ) as [Tracer, Tracer];
    const toHeads = (x: Tracer): Tracer => reshape(x, [N, (x.shape[1] as number) / D, D]);
    const written = write(
      { keys: keys!, values: values! },
      rotate(toHeads(key!), cos, sin),
      toHeads(value!),
      places,
    );
    const rotated = mul(rotate(toHeads(query!), cos, sin), 1 / Math.sqrt(D));
    const grouped = transpose(reshape(rotated, [N, K, width / D / K, D]), [1, 2, 0, 3]);
    const mixed = transpose(mix(grouped, written, places), [2, 0, 1, 3]);
    return [reshape(mixed, [N, width]), written.keys, written.values];
  },
  lower(lowering, { inputs, outputs }) {
    const { dtype, shape } = inputs[3]!;
    const [headSize, pageSize] = shape.slice(2) as [number, number];
    const operator = OPERATORS[dtype];
    const isTaken = headSize % 16 === 0 && headSize <= 256 && pageSize % 16 === 0;
    if (operator === undefined || !isTaken || inputs[0]!.dtype !== "float32") return false;
    return lowering.emitNative(operator, inputs, outputs);
  },
};

/** The projections of N new tokens, before rotation. */
export interface PagedProjections {
  /** [N, H·D] */
  readonly query: Tracer;
  /** [N, K·D]; consecutive groups of H/K query heads share one key/value head */
  readonly key: Tracer;
  /** [N, K·D] */
  readonly value: Tracer;
}

/** Where earlier tokens of sequences are kept, and where the new ones belong. */
export interface PagePool {
  /** [G, K, D, P], a floating dtype: the keys of G pages of P positions; give the same value as output to write in place */
  readonly keys: Tracer;
  /** [G, K, P, D]; the same */
  readonly values: Tracer;
  /** [S, E] int32: the pages of each sequence in order; entries past its last position are not used and may be 0 */
  readonly pages: Tracer;
  /** [N] int32: the row of `pages` that each token's sequence has; tokens of one sequence lie side by side, in order */
  readonly sequence: Tracer;
  /** [N] int32: each token's position in its sequence */
  readonly positions: Tracer;
  /** [L, D/2] cosines of the rotation by position */
  readonly cos: Tracer;
  /** [L, D/2] sines */
  readonly sin: Tracer;
}

/**
 * Causal attention of new tokens over the positions of their sequences up to their own, with rotary positions applied. The
 * new keys, rotated, and values are written to the pool first. A page may be shared by sequences that begin alike.
 *
 * With native kernels what a token gets does not depend, to the bit, on the other tokens of the run, on how its sequence was
 * divided into runs, or on which pages it has.
 *
 * @returns the mixed values [N, H·D] and the pool with the new keys and values
 * @throws TensorError `TENSOR_SHAPE_MISMATCH`
 */
export function pagedAttention(
  { query, key, value }: PagedProjections,
  { keys, values, pages, sequence, positions, cos, sin }: PagePool,
  { heads, keyValueHeads }: { readonly heads: number; readonly keyValueHeads: number },
): { readonly mixed: Tracer; readonly keys: Tracer; readonly values: Tracer } {
  const [G, , D, P] = keys.shape as [Dim, number, number, number];
  const N = query.shape[0]!;
  if (keys.shape.length !== 4 || heads % keyValueHeads !== 0) {
    const message = `pagedAttention: ${heads} heads over keys ${formatShape(keys.shape)}, expected four axes and a multiple of ${keyValueHeads} heads`;
    throw new TensorError("TENSOR_SHAPE_MISMATCH", message);
  }
  const angles = [cos.shape[0]!, D / 2];
  const expected: readonly [string, Tracer, Shape][] = [
    ["keys", keys, [G, keyValueHeads, D, P]],
    ["values", values, [G, keyValueHeads, P, D]],
    ["query", query, [N, heads * D]],
    ["key", key, [N, keyValueHeads * D]],
    ["value", value, [N, keyValueHeads * D]],
    ["sequence", sequence, [N]],
    ["positions", positions, [N]],
    ["cos", cos, angles],
    ["sin", sin, angles],
  ];
  for (const [name, operand, shape] of expected) expectShape("pagedAttention", name, operand, shape);
  const tables = [cos, sin].map((table) => cast(table, query.dtype));
  const inputs = [query, key, value, keys, values, pages, sequence, positions, ...tables];
  const [mixed, newKeys, newValues] = bindComposite(PAGED_ATTENTION, inputs);
  return { mixed: mixed!, keys: newKeys!, values: newValues! };
}

// Causal grouped-query attention of new tokens over keys and values in pages, for generation: the definition in primitives,
// and the native operator.
import type { Composite } from "../composite.ts";
import type { DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import {
  cast,
  equal,
  gather,
  iota,
  lessEqual,
  logicalAnd,
  matmul,
  max,
  mul,
  reshape,
  sum,
  transpose,
  where,
} from "../ops.ts";
import { type Dim, formatShape, mulDims, type Shape } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { expectShape } from "./expect-shape.ts";
import { type PageDType, type Pages, type Places, pageSpecs, readPages, writePages } from "./pages.ts";
import { rotate } from "./rotation.ts";
import { softmax } from "./softmax.ts";

/** The score of a key that a token does not see: softmax turns it into zero. */
const HIDDEN = -1e30;

/**
 * What rotated and scaled queries [K, H/K, N, D] mix of the values, [K, H/K, N, D]. All of them meet the pages of every
 * sequence, and only what they get of their own is kept.
 */
function mix(query: Tracer, pool: Pages<Tracer>, { pages, sequence, positions }: Places): Tracer {
  const [K, group, N, D] = query.shape as [number, number, Dim, number];
  const { keys, values } = readPages(pool, pages, query.dtype); // [S, K, D, C], [S, K, C, D]
  const [S, C] = [keys.shape[0]!, keys.shape[3]!];
  const rows = mulDims(group, N);
  const isOwn = equal(reshape(iota(S), [S, 1]), reshape(sequence, [1, N])); // [S, N]
  const ownSlots = reshape(isOwn, [S, 1, 1, N, 1]);
  const slot = iota(C);

  const scores = matmul(reshape(query, [1, K, rows, D]), keys);
  const isSeen = lessEqual(reshape(slot, [1, C]), reshape(positions, [N, 1])); // [N, C]
  const isVisible = logicalAnd(ownSlots, reshape(isSeen, [1, 1, 1, N, C]));
  const shares = softmax(where(isVisible, reshape(scores, [S, K, group, N, C]), HIDDEN));

  // A share of zero does not undo a NaN: what a page holds past its sequence's last position is none of its values.
  const last = max(where(isOwn, reshape(positions, [1, N]), -1), { axis: 1, keepDims: true }); // [S, 1]
  const isFilled = reshape(lessEqual(reshape(slot, [1, C]), last), [S, 1, C, 1]);
  const filled = where(isFilled, values, 0);
  const mixed = matmul(reshape(shares, [S, K, rows, C]), filled);
  return sum(where(ownSlots, reshape(mixed, [S, K, group, N, D]), 0), { axis: 0 });
}

/** The native operators, by the dtype of the pages. */
const OPERATORS: { readonly [D in DType]?: string } = {
  float32: "PagedAttention",
  int16: "PagedAttentionInt16",
};

/** Attention over so many tensors of pages, which are outputs as well. */
const pagedAttentionOver = (count: 2 | 3): Composite => ({
  name: "pagedAttention",
  inPlace: Array.from({ length: count }, (_, part) => [3 + part, 1 + part] as const),
  // (query [N, H·D], key, value [N, K·D], ...pages, pages of sequences [S, E], sequence, positions [N],
  // cos, sin [L, D/2]) → mixed [N, H·D], ...pages
  define([query, key, value, ...rest]) {
    const [keys, values, scales] = rest.slice(0, count) as [Tracer, Tracer, Tracer?];
    const [pages, sequence, positions, cosTable, sinTable] = rest.slice(count);
    const [N, width] = query!.shape as [Dim, number];
    const K = keys.shape[1] as number;
    const D = (key!.shape[1] as number) / K;
    const places = {
      pages: cast(pages!, "int64"),
      sequence: cast(sequence!, "int64"),
      positions: cast(positions!, "int64"),
    };
    const [cos, sin] = [cosTable!, sinTable!].map((table) =>
      reshape(gather(table, places.positions), [N, 1, D / 2]),
    ) as [Tracer, Tracer];
    const toHeads = (x: Tracer): Tracer => reshape(x, [N, (x.shape[1] as number) / D, D]);
    const old = { keys, values, scales };
    const written = writePages(old, rotate(toHeads(key!), cos, sin), toHeads(value!), places);
    const rotated = mul(rotate(toHeads(query!), cos, sin), 1 / Math.sqrt(D));
    const grouped = transpose(reshape(rotated, [N, K, width / D / K, D]), [1, 2, 0, 3]);
    const mixed = transpose(mix(grouped, written, places), [2, 0, 1, 3]);
    return [reshape(mixed, [N, width]), ...tensorsOf(written)];
  },
  lower(lowering, { inputs, outputs }) {
    const [query, key, , keys] = inputs;
    const operator = OPERATORS[keys!.dtype];
    const [K, pageSize] = [keys!.shape[1], keys!.shape[3]] as [number, number];
    const headSize = (key!.shape[1] as number) / K;
    const isTaken = headSize % 16 === 0 && headSize <= 256 && pageSize % 16 === 0;
    if (operator === undefined || !isTaken || query!.dtype !== "float32") return false;
    return lowering.emitNative(operator, inputs, outputs);
  },
});

const OVER_FLOATS = pagedAttentionOver(2);
const OVER_INTEGERS = pagedAttentionOver(3);

const tensorsOf = <T>({ keys, values, scales }: Pages<T>): T[] =>
  scales === undefined ? [keys, values] : [keys, values, scales];

/** The projections of N new tokens, before rotation. */
export interface PagedProjections {
  /** [N, H·D] */
  readonly query: Tracer;
  /** [N, K·D]; consecutive groups of H/K query heads share one key/value head */
  readonly key: Tracer;
  /** [N, K·D] */
  readonly value: Tracer;
}

/**
 * Where earlier tokens of sequences are kept, and where the new ones belong. The pages are what `pageSpecs` says; give the same values as outputs to write in place.
 */
export interface PagePool extends Pages<Tracer> {
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
 * divided into runs, or on which pages it has; over pages of int16 they compute with integers, and round queries and shares
 * to about 15 bits.
 *
 * @returns the mixed values [N, H·D] and the pool with the new keys and values
 * @throws TensorError `TENSOR_SHAPE_MISMATCH`
 */
export function pagedAttention(
  { query, key, value }: PagedProjections,
  { pages, sequence, positions, cos, sin, ...pool }: PagePool,
  { heads, keyValueHeads }: { readonly heads: number; readonly keyValueHeads: number },
): Pages<Tracer> & { readonly mixed: Tracer } {
  const [G, , , P] = pool.keys.shape as [Dim, number, number, number];
  if (heads % keyValueHeads !== 0) {
    const message = `pagedAttention: ${heads} heads, expected a multiple of ${keyValueHeads}`;
    throw new TensorError("TENSOR_SHAPE_MISMATCH", message);
  }
  const N = query.shape[0]!;
  const D = Math.floor((key.shape[1] as number) / keyValueHeads);
  const specs = pageSpecs(pool.keys.dtype as PageDType, {
    pages: G,
    pageSize: P,
    keyValueHeads,
    headSize: D,
  });
  if (
    pool.keys.shape.length !== specs.keys.shape.length ||
    (pool.scales === undefined) !== (specs.scales === undefined)
  ) {
    const message = `pagedAttention: pages of ${pool.keys.dtype} have keys ${formatShape(specs.keys.shape)}${specs.scales ? " and scales" : ""}, got ${formatShape(pool.keys.shape)}`;
    throw new TensorError("TENSOR_SHAPE_MISMATCH", message);
  }
  const angles = [cos.shape[0]!, D / 2];
  const expected: readonly [string, Tracer, Shape][] = [
    ["query", query, [N, heads * D]],
    ["key", key, [N, keyValueHeads * D]],
    ["value", value, [N, keyValueHeads * D]],
    ["keys", pool.keys, specs.keys.shape],
    ["values", pool.values, specs.values.shape],
    ["sequence", sequence, [N]],
    ["positions", positions, [N]],
    ["cos", cos, angles],
    ["sin", sin, angles],
  ];
  for (const [name, operand, shape] of expected) expectShape("pagedAttention", name, operand, shape);
  if (pool.scales) expectShape("pagedAttention", "scales", pool.scales, specs.scales!.shape);
  const tables = [cos, sin].map((table) => cast(table, query.dtype));
  const inputs = [query, key, value, ...tensorsOf(pool), pages, sequence, positions, ...tables];
  const composite = pool.scales === undefined ? OVER_FLOATS : OVER_INTEGERS;
  const [mixed, keys, values, scales] = bindComposite(composite, inputs);
  return { mixed: mixed!, keys: keys!, values: values!, ...(scales && { scales }) };
}

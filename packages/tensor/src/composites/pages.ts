// Pages of keys and values that sequences share out: the forms they are kept in, and how each is written and read in
// primitives. Knows no attention.
import type { TensorSpec } from "../composite.ts";
import type { DType, FloatDType } from "../dtype.ts";
import {
  add,
  broadcastTo,
  cast,
  concat,
  div,
  gather,
  iota,
  maximum,
  mod,
  mul,
  reshape,
  scatter,
  slice,
  sqrt,
  sum,
  takeAlong,
  transpose,
} from "../ops.ts";
import { type Dim, mulDims, type Shape } from "../shape.ts";
import { spec, type Tracer } from "../trace.ts";
import { inSteps, largestOfRows } from "./rounding.ts";

/** What keys and values in pages can be kept in: floats, or 16-bit integers with a scale for each position. */
export type PageDType = FloatDType | "int16";

/** Keys and values in pages. */
export interface Pages<T> {
  readonly keys: T;
  readonly values: T;
  /** of int16 */
  readonly scales?: T | undefined;
}

/** G pages of P positions each, for K heads of D. */
export interface PageSizes {
  readonly pages: Dim;
  readonly pageSize: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/** Where tokens are, in int64: the pages of sequences [S, E], each token's sequence [N] and position in it [N]. */
export interface Places {
  readonly pages: Tracer;
  readonly sequence: Tracer;
  readonly positions: Tracer;
}

/** Where new tokens go: page, head and slot, [N, 1], [1, K] and [N, 1]. */
interface Slots {
  readonly page: Tracer;
  readonly head: Tracer;
  readonly slot: Tracer;
}

/** How one form of pages is written and read. */
interface PageForm {
  shapes(sizes: PageSizes): Pages<Shape>;
  /** The pages with new keys and values, [N, K, D] each, in their places. */
  write(old: Pages<Tracer>, key: Tracer, value: Tracer, slots: Slots): Pages<Tracer>;
  /** Pages of S sequences side by side: keys [S, K, D, C], values [S, K, C, D]. */
  read(pages: Pages<Tracer>, of: Tracer, dtype: DType): Pages<Tracer>;
}

const wide = (x: Tracer): Tracer => reshape(x, [...x.shape, 1]);

/** Indices [...shape, R] of R parts that broadcast to the shape. */
const joinIndices = (shape: Shape, parts: readonly Tracer[]): Tracer =>
  concat(
    parts.map((part) => reshape(broadcastTo(part, shape), [...shape, 1])),
    -1,
  );

const FLOATS: PageForm = {
  shapes: ({ pages: G, pageSize: P, keyValueHeads: K, headSize: D }) => ({
    keys: [G, K, D, P],
    values: [G, K, P, D],
  }),

  write(old, key, value, { page, head, slot }) {
    const [N, K, D] = key.shape as [Dim, number, number];
    const keyPlaces = joinIndices([N, K, D], [wide(page), wide(head), iota(D), wide(slot)]);
    const valuePlaces = joinIndices([N, K], [page, head, slot]);
    return {
      keys: scatter(old.keys, keyPlaces, cast(key, old.keys.dtype)),
      values: scatter(old.values, valuePlaces, cast(value, old.values.dtype)),
    };
  },

  read({ keys, values }, of, dtype) {
    const [, K, D, P] = keys.shape as [Dim, number, number, number];
    const [S, C] = [of.shape[0]!, mulDims(of.shape[1]!, P)];
    const sideBySide = (pool: Tracer, order: readonly number[], shape: Shape): Tracer =>
      reshape(transpose(cast(gather(pool, of), dtype), order), shape);
    return {
      keys: sideBySide(keys, [0, 2, 3, 1, 4], [S, K, D, C]),
      values: sideBySide(values, [0, 2, 1, 3, 4], [S, K, C, D]),
    };
  },
};

/** Keys, of at most 256 dimensions, are as fine as lets them be a vector of this length: products fit 32 bits. */
const [LARGEST, LENGTH] = [32_767, 46_000];
/** Values are never larger, so that products of a panel of positions fit, too. */
const LARGEST_VALUE = 8191;

const INTEGERS: PageForm = {
  // Pairs of dimensions, pairs of positions, and the scales of the keys before those of the values.
  shapes: ({ pages: G, pageSize: P, keyValueHeads: K, headSize: D }) => ({
    keys: [G, K, D / 2, P, 2],
    values: [G, K, P / 2, D, 2],
    scales: [G, K, 2, P],
  }),

  write(old, key, value, { page, head, slot }) {
    const [N, K, D] = key.shape as [Dim, number, number];
    const dimension = iota(D);
    const keyParts = [wide(page), wide(head), div(dimension, 2), wide(slot), mod(dimension, 2)];
    const valueParts = [wide(page), wide(head), wide(div(slot, 2)), dimension, wide(mod(slot, 2))];
    const keyScale = maximum(div(largestOfRows(key), LARGEST), div(lengthOf(key), LENGTH));
    const valueScale = div(largestOfRows(value), LARGEST_VALUE);
    const scaleParts = (which: number) => [page, head, iotaFrom(which), slot];
    const scatterScales = (scales: Tracer, which: number, scale: Tracer): Tracer =>
      scatter(scales, joinIndices([N, K], scaleParts(which)), cast(reshape(scale, [N, K]), "float32"));
    return {
      keys: scatter(old.keys, joinIndices([N, K, D], keyParts), rounded(key, keyScale)),
      values: scatter(old.values, joinIndices([N, K, D], valueParts), rounded(value, valueScale)),
      scales: scatterScales(scatterScales(old.scales!, 0, keyScale), 1, valueScale),
    };
  },

  read({ keys, values, scales }, of, dtype) {
    const [, K, pairs, P] = keys.shape as [Dim, number, number, number];
    const [S, E] = of.shape as [Dim, Dim];
    const [D, C] = [2 * pairs, mulDims(E, P)];
    const ofPages = (pool: Tracer): Tracer => cast(gather(pool, of), dtype);
    const scalesOf = (which: number, shape: Shape): Tracer =>
      reshape(slice(ofPages(scales!), { axis: 3, start: which, end: which + 1 }), shape);
    const scaledKeys = mul(ofPages(keys), scalesOf(0, [S, E, K, 1, P, 1]));
    const scaledValues = mul(ofPages(values), scalesOf(1, [S, E, K, P / 2, 1, 2]));
    return {
      keys: reshape(transpose(scaledKeys, [0, 2, 3, 5, 1, 4]), [S, K, D, C]),
      values: reshape(transpose(scaledValues, [0, 2, 1, 3, 5, 4]), [S, K, C, D]),
    };
  },
};

const lengthOf = (x: Tracer): Tracer => sqrt(sum(mul(x, x), { axis: -1, keepDims: true }));
/** The index `value` [1]. */
const iotaFrom = (value: number): Tracer => add(iota(1), value);

const rounded = (x: Tracer, scale: Tracer): Tracer => cast(inSteps(x, scale), "int16");

const formOf = (dtype: DType): PageForm => (dtype === "int16" ? INTEGERS : FLOATS);

/**
 * What pages are made of: keys [G, K, D, P] and values [G, K, P, D] of floats; of int16 keys [G, K, D/2, P, 2], values
 * [G, K, P/2, D, 2] and scales [G, K, 2, P] in float32, of keys and of values: pairs lie as native kernels multiply them.
 */
export function pageSpecs(dtype: PageDType, sizes: PageSizes): Pages<TensorSpec> {
  const { keys, values, scales } = formOf(dtype).shapes(sizes);
  return {
    keys: spec(dtype, keys),
    values: spec(dtype, values),
    ...(scales && { scales: spec("float32", scales) }),
  };
}

/** The pages with the tokens' rotated keys and values, [N, K, D] each, in their places. */
export function writePages(
  old: Pages<Tracer>,
  key: Tracer,
  value: Tracer,
  { pages, sequence, positions }: Places,
): Pages<Tracer> {
  const [N, K] = key.shape as [Dim, number];
  const pageSize = old.keys.shape[3] as number;
  const slots = {
    page: takeAlong(gather(pages, sequence), reshape(div(positions, pageSize), [N, 1]), 1),
    slot: mod(reshape(positions, [N, 1]), pageSize),
    head: reshape(iota(K), [1, K]),
  };
  return formOf(old.keys.dtype).write(old, key, value, slots);
}

/** Keys [S, K, D, C] and values [S, K, C, D] of the sequences whose pages are `of` [S, E], in `dtype`. */
export function readPages(pages: Pages<Tracer>, of: Tracer, dtype: DType): Pages<Tracer> {
  return formOf(pages.keys.dtype).read(pages, of, dtype);
}

// Functions of networks as compositions of the vocabulary. No primitive, no parameter, no state.
import {
  add,
  cast,
  constant,
  div,
  erf,
  full,
  iota,
  lessEqual,
  mod,
  mul,
  reshape,
  sigmoid,
  where,
} from "./ops.ts";
import { sizeOf } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import type { Tracer } from "./trace.ts";

/** x · sigmoid(x) */
export const silu = (x: Tracer): Tracer => mul(x, sigmoid(x));

/** x · Φ(x), with the exact normal distribution function. */
export const gelu = (x: Tracer): Tracer => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));

/** The Mersenne prime 2³¹ − 1: products of two residues fit in int64 on every device. */
const PRIME = 2147483647;

const integer = (value: number): Tracer => constant(Tensor.fromArray("int64", [], [value]));

/**
 * Uniform random numbers in [0, 1], in float32, that depend on the seed and the position alone: the same on every device.
 * Two quadratic maps modulo 2³¹ − 1 of (position + seed); made for dropout, not for cryptography.
 *
 * @param seed [] int64, 0 ≤ seed < 2³⁰
 * @param stream which of several independent draws under one seed
 * @param like its shape is the result's
 */
export function randomUniform(seed: Tracer, stream: number, like: Tracer): Tracer {
  const mixed = mod(add(mul(seed, 48271), mulStream(stream)), PRIME);
  const start = mod(add(mul(mixed, mixed), 1299709), 1 << 30);
  const position = add(iota(sizeOf(like.shape)), start);
  const first = mod(add(mul(position, position), integer(1618033989)), PRIME);
  const second = mod(add(mul(first, first), integer(1442695041)), PRIME);
  return reshape(div(cast(second, "float32"), PRIME), like.shape);
}

const mulStream = (stream: number): number => (stream * 69621) % PRIME;

/**
 * Dropout: zero with the given probability, the rest scaled by 1 / (1 − rate).
 *
 * @param rate 0 ≤ rate < 1; at 0 the result is x
 * @param seed [] int64; the mask is a function of it and of `stream`
 */
export function dropout(
  x: Tracer,
  options: { readonly rate: number; readonly seed: Tracer; readonly stream: number },
): Tracer {
  if (options.rate === 0) return x;
  const keep = lessEqual(options.rate, randomUniform(options.seed, options.stream, x));
  return where(keep, div(x, 1 - options.rate), full([], 0, x.dtype));
}

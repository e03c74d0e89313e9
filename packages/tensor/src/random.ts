// Seeded random numbers as pure functions of (seed, position): no state to carry, any part can be drawn alone.

/** 2⁶⁴ / φ, the step of SplitMix. */
const GOLDEN = 0x9e3779b9;

/** A well-mixed 32-bit hash of two 32-bit words. @see Steele et al. 2014 (SplitMix), with Murmur3's finaliser */
function hash(seed: number, position: number): number {
  let x = Math.imul(position + 1, GOLDEN) ^ Math.imul(seed ^ 0x85ebca6b, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) ^ Math.imul(seed, GOLDEN);
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A seed for a named part of a computation, so that parts do not share random numbers. */
export function deriveSeed(seed: number, name: string): number {
  let mixed = hash(seed, name.length);
  for (let index = 0; index < name.length; index++) mixed = hash(mixed, name.charCodeAt(index));
  return mixed & 0x3fffffff;
}

/** The uniform number in (0, 1) at a position. */
export const uniformAt = (seed: number, position: number): number =>
  (hash(seed, position) + 0.5) / 4294967296;

/** `count` uniform numbers between low and high, rounded to float32. */
export function randomUniformArray(seed: number, count: number, low = 0, high = 1): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, position) => low + (high - low) * uniformAt(seed, position),
  );
}

/** `count` standard normal numbers, by the Box–Muller transform. */
export function randomNormal(seed: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, position) => {
    const radius = Math.sqrt(-2 * Math.log(uniformAt(seed, 2 * position)));
    return radius * Math.cos(2 * Math.PI * uniformAt(seed, 2 * position + 1));
  });
}

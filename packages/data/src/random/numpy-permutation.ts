// `numpy.random.permutation` of the legacy generator; nothing else of NumPy.
import { DataError } from "../errors.ts";
import { Mt19937 } from "./mt19937.ts";

/**
 * What `numpy.random.seed(seed); numpy.random.permutation(length)` returns: a Fisher–Yates shuffle of 0 … length−1
 * from the end, each index drawn by masked rejection.
 *
 * @param length 0 to 2³² − 1
 * @param seed an unsigned 32-bit integer
 * @throws DataError `DATA_OPTION_INVALID` when either is out of its range
 */
export function numpyPermutation(length: number, seed: number): Uint32Array {
  assertUint32(length, "length");
  assertUint32(seed, "seed");
  const generator = new Mt19937(seed);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = boundedDraw(generator, i);
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}

/** Uniform in 0 … max: draws are masked to the bits of `max`, and drawn again while above it. */
function boundedDraw(generator: Mt19937, max: number): number {
  const mask = 0xffffffff >>> Math.clz32(max);
  let draw: number;
  do {
    draw = (generator.nextUint32() & mask) >>> 0;
  } while (draw > max);
  return draw;
}

function assertUint32(value: number, name: string): void {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return;
  throw new DataError(
    "DATA_OPTION_INVALID",
    `numpyPermutation: ${name} must be an integer from 0 to 2^32 - 1, got ${value}`,
  );
}

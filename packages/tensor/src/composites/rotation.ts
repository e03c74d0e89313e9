// The rotation of rotary positions, half-split as in Hugging Face checkpoints, for the composites of attention.
import { add, concat, mul, split, sub } from "../ops.ts";
import type { Tracer } from "../trace.ts";

/**
 * `x` with the halves of its last axis rotated against each other: (a, b) → (a·cos − b·sin, b·cos + a·sin).
 *
 * @param x [..., D]
 * @param cos whatever broadcasts to [..., D/2]
 * @param sin the same; negated for the inverse rotation
 */
export function rotate(x: Tracer, cos: Tracer, sin: Tracer): Tracer {
  const half = (x.shape.at(-1) as number) / 2;
  const [a, b] = split(x, { axis: -1, sizes: [half, half] }) as [Tracer, Tracer];
  return concat([sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))], -1);
}

// Clip gradients by their global norm.
import { add, cast, div, minimum, mul, sqrt } from "../ops.ts";
import { isTracer, type Tracer } from "../trace.ts";
import { flatten, mapTree } from "../tree.ts";
import { sumOfSquares } from "./reductions.ts";

/** The Euclidean norm over every leaf, [] float32. */
export function globalNorm(gradients: unknown): Tracer {
  const squares = flatten(gradients, isTracer).map(({ leaf }) => sumOfSquares(leaf));
  return sqrt(squares.reduce((a, b) => add(a, b)));
}

/**
 * What gradients of this norm are multiplied by so that it is at most `maxNorm`, [] float32.
 *
 * @see torch.nn.utils.clip_grad_norm_, whose 10⁻⁶ is kept
 */
export const clipScale = (norm: Tracer, maxNorm: number): Tracer => minimum(div(maxNorm, add(norm, 1e-6)), 1);

/**
 * Gradients scaled down so that their global norm is at most `maxNorm`.
 *
 * @param norm the gradients' global norm
 * @see clipScale
 */
export function clipByNorm(gradients: unknown, norm: Tracer, maxNorm: number): unknown {
  const scale = clipScale(norm, maxNorm);
  return mapTree(gradients, isTracer, (leaf) => mul(leaf, cast(scale, leaf.dtype)));
}

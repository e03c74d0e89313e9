// Clip gradients by their global norm.
import { add, cast, div, minimum, mul, sqrt, sum } from "../ops.ts";
import { isTracer, type Tracer } from "../trace.ts";
import { flatten, mapTree } from "../tree.ts";

/** The Euclidean norm over every leaf, [] float32. */
export function globalNorm(gradients: unknown): Tracer {
  const squares = flatten(gradients, isTracer).map(({ leaf }) => cast(sum(mul(leaf, leaf)), "float32"));
  return sqrt(squares.reduce((a, b) => add(a, b)));
}

/**
 * Gradients scaled down so that their global norm is at most `maxNorm`.
 *
 * @param norm the gradients' global norm
 * @see torch.nn.utils.clip_grad_norm_, whose 10⁻⁶ is kept
 */
export function clipByNorm(gradients: unknown, norm: Tracer, maxNorm: number): unknown {
  const scale = minimum(div(maxNorm, add(norm, 1e-6)), 1);
  return mapTree(gradients, isTracer, (leaf) => mul(leaf, cast(scale, leaf.dtype)));
}

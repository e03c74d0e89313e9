// Grouped-query attention over whole sequences, for training: definition, and a pullback that keeps one T × S matrix per head.
import type { Composite } from "../composite.ts";
import { add, matmul, mul, reshape, sub, sum } from "../ops.ts";
import { sumTo } from "../rules/vjp.ts";
import { type Dim, mulDims } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { softmax } from "./softmax.ts";

/** [B, K, G, T, X] → [B, K, G·T, X]: the query heads of a group share one product with their key/value head. */
function stackGroups(x: Tracer): Tracer {
  const [B, K, G, T, X] = x.shape as [Dim, Dim, Dim, Dim, Dim];
  return reshape(x, [B, K, mulDims(G, T), X]);
}

const unstack = (x: Tracer, like: Tracer): Tracer => reshape(x, [...like.shape.slice(0, 4), x.shape[3]!]);

const ATTENTION: Composite = {
  name: "attention",
  // (q [B, K, G, T, D], k [B, K, S, D], v [B, K, S, D], bias [T, S]) → mixed [B, K, G, T, D], shares [B, K, G, T, S]
  define([q, k, v, bias]) {
    const scores = unstack(matmul(stackGroups(q!), k!, { transposeB: true }), q!);
    const shares = softmax(add(scores, bias!));
    return [unstack(matmul(stackGroups(shares), v!), q!), shares];
  },
  // dV = Pᵀ·dO,  dS = P ∘ (dO·Vᵀ − rowsum(dO ∘ O)),  dQ = dS·K,  dK = dSᵀ·Q
  pullback([g], [q, k, v, bias], [mixed, shares]) {
    if (g === undefined) return [];
    const output = stackGroups(g);
    const share = stackGroups(shares!);
    const toShares = unstack(matmul(output, v!, { transposeB: true }), q!);
    const toScores = mul(shares!, sub(toShares, sum(mul(g, mixed!), { axis: -1, keepDims: true })));
    const stacked = stackGroups(toScores);
    return [
      unstack(matmul(stacked, k!), q!),
      matmul(stacked, stackGroups(q!), { transposeA: true }),
      matmul(share, output, { transposeA: true }),
      sumTo(toScores, bias!.shape),
    ];
  },
};

/**
 * softmax(q·kᵀ + bias)·v per head. Scale the queries by 1/√D before.
 *
 * @param q [B, K, G, T, D]: G query heads for each of K key/value heads
 * @param options.key [B, K, S, D]
 * @param options.value [B, K, S, D]
 * @param options.bias [T, S], added to the scores: 0 where a query sees a key, very negative elsewhere
 * @returns [B, K, G, T, D]
 * @see Vaswani et al. 2017, equation 1; Dao et al. 2022, appendix B, for rowsum(dO ∘ O)
 */
export function attention(
  q: Tracer,
  options: { readonly key: Tracer; readonly value: Tracer; readonly bias: Tracer },
): Tracer {
  return bindComposite(ATTENTION, [q, options.key, options.value, options.bias])[0]!;
}

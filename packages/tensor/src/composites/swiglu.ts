// SwiGLU, the gated activation of LLaMA's feed-forward: definition, and a pullback that computes the sigmoid once.
import type { Composite } from "../composite.ts";
import { add, mul, sigmoid, sub } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const SWIGLU: Composite = {
  name: "swiglu",
  // (gate, up) → silu(gate) ∘ up, sigmoid(gate)
  define([gate, up]) {
    const share = sigmoid(gate!);
    return [mul(mul(gate!, share), up!), share];
  },
  // y = gate·σ:  dUp = g·y,  dGate = g·up·(σ + y·(1 − σ))
  pullback([g], [gate, up], [, share]) {
    if (g === undefined) return [];
    const activated = mul(gate!, share!);
    const slope = add(share!, mul(activated, sub(1, share!)));
    return [mul(mul(g, up!), slope), mul(g, activated)];
  },
};

/**
 * silu(gate) ∘ up, elementwise; equal shapes.
 *
 * @see Shazeer 2020
 */
export const swiglu = (gate: Tracer, up: Tracer): Tracer => bindComposite(SWIGLU, [gate, up])[0]!;

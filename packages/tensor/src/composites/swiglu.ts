// SwiGLU, the gated activation of LLaMA's feed-forward: two composites, forward and backward.
import type { Composite } from "../composite.ts";
import { add, mul, sigmoid, sub } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const SWIGLU: Composite = {
  name: "swiglu",
  // (gate, up) → silu(gate) ∘ up
  define([gate, up]) {
    return [mul(mul(gate!, sigmoid(gate!)), up!)];
  },
  pullback([g], [gate, up]) {
    if (g === undefined) return [];
    return bindComposite(SWIGLU_GRAD, [g, gate!, up!]);
  },
};

const SWIGLU_GRAD: Composite = {
  name: "swigluGrad",
  // (g, gate, up) → dGate, dUp.  y = gate·σ:  dUp = g·y,  dGate = g·up·(σ + y·(1 − σ))
  // A runtime that shares common subexpressions keeps the forward's σ.
  define([g, gate, up]) {
    const share = sigmoid(gate!);
    const activated = mul(gate!, share);
    const slope = add(share, mul(activated, sub(1, share)));
    return [mul(mul(g!, up!), slope), mul(g!, activated)];
  },
};

/**
 * silu(gate) ∘ up, elementwise; equal shapes.
 *
 * @see Shazeer 2020
 */
export const swiglu = (gate: Tracer, up: Tracer): Tracer => bindComposite(SWIGLU, [gate, up])[0]!;

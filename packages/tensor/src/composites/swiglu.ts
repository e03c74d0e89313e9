// SwiGLU, the gated activation of LLaMA's feed-forward: two composites, forward and backward.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { add, cast, mul, sigmoid, sub } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { hadamard } from "./hadamard.ts";
import { quantizeRows } from "./quantize-rows.ts";

/** The kernels can also transform what they write and read by `hadamard`. */
const WITHOUT_HADAMARD = { attributes: () => ({ hadamard: 0 }) };

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
  lower: kernel("Swiglu", WITHOUT_HADAMARD),
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
  lower: kernel("SwigluGrad", WITHOUT_HADAMARD),
};

/** `swiglu`, `hadamard` when the attribute says so, and `quantizeRows` in one pass; see `fuse`. */
export const SWIGLU_QUANTIZE: Composite = {
  name: "swigluQuantize",
  // (gate, up [..., C]) → q [..., C padded] uint8, scale [..., 1]
  define([gate, up], attributes) {
    const activated = swiglu(gate!, up!);
    const { q, scale } = quantizeRows(attributes.hadamard === 1 ? hadamard(activated) : activated);
    return [q, scale];
  },
  lower: kernel("SwigluQuantize"),
};

/** `swigluGrad` of a cotangent that still has to be transformed by `hadamard`; see `fuse`. */
export const HADAMARD_SWIGLU_GRAD: Composite = {
  name: "hadamardSwigluGrad",
  // (g, gate, up) → dGate, dUp
  define: ([g, gate, up]) => bindComposite(SWIGLU_GRAD, [hadamard(g!), gate!, up!]),
  lower: kernel("SwigluGrad", { attributes: () => ({ hadamard: 1 }) }),
};

/**
 * The gradient of swiglu, after `hadamard` when the attribute says so, with both its rows quantised; gate and up may be kept
 * in bfloat16. See `fuse`.
 */
export const SWIGLU_GRAD_QUANTIZE: Composite = {
  name: "swigluGradQuantize",
  // (g, gate, up [..., C], column scales of dGate and of dUp [C]) → q [..., C padded] and scale [..., 1] of each
  define([g, gate, up, ...columnScales], attributes) {
    const cotangent = attributes.hadamard === 1 ? hadamard(g!) : g!;
    const primals = [gate!, up!].map((primal) => cast(primal, "float32"));
    const gradients = bindComposite(SWIGLU_GRAD, [cotangent, ...primals]);
    return gradients.flatMap((gradient, index) => {
      const { q, scale } = quantizeRows(gradient, columnScales[index]);
      return [q, scale];
    });
  },
  lower(lowering, equation) {
    const isKept = equation.inputs[1]!.dtype === "bfloat16";
    return kernel(isKept ? "SwigluGradQuantizeKept" : "SwigluGradQuantize")(lowering, equation);
  },
};

/**
 * silu(gate) ∘ up, elementwise; equal shapes.
 *
 * @see Shazeer 2020
 */
export const swiglu = (gate: Tracer, up: Tracer): Tracer => bindComposite(SWIGLU, [gate, up])[0]!;

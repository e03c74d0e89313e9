// Root-mean-square normalisation: definition, pullback from the kept inverse deviation, and the runtime's fused operator.
import type { Composite } from "../composite.ts";
import { DTYPES } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import { add, div, mean, mul, sqrt, sub, sum } from "../ops.ts";
import { sumTo } from "../rules/vjp.ts";
import { formatShape } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const last = { axis: -1, keepDims: true } as const;

const RMS_NORM: Composite = {
  name: "rmsNorm",
  // (x [..., C], weight [C]) → y [..., C], 1 / deviation [..., 1]
  define([x, weight], { eps }) {
    const inverse = div(1, sqrt(add(mean(mul(x!, x!), last), eps!)));
    return [mul(mul(x!, inverse), weight!), inverse];
  },
  // n = x·r:  dX = r·(g∘w − n·mean(g∘w∘n)),  dW = Σ g∘n
  pullback([g], [x, weight], [, inverse]) {
    if (g === undefined) return [undefined, undefined];
    const normalised = mul(x!, inverse!);
    const scaled = mul(g, weight!);
    const toX = mul(inverse!, sub(scaled, mul(normalised, mean(mul(scaled, normalised), last))));
    return [
      toX,
      sumTo(sum(mul(g, normalised), { axis: g.shape.map((_, axis) => axis).slice(0, -1) }), weight!.shape),
    ];
  },
  lower(lowering, equation) {
    const [normalised, inverse] = equation.outputs;
    if (inverse!.dtype === "float64") return false;
    // The operator gives the inverse deviation in float32 (stash_type 1) whatever x is.
    const stash = inverse!.dtype === "float32" ? inverse! : lowering.freshName("t");
    lowering.emit("SimplifiedLayerNormalization", equation.inputs, [normalised!, stash], {
      axis: -1,
      epsilon: { float: equation.params.attributes.eps! },
      stash_type: 1,
    });
    if (stash !== inverse)
      lowering.emit("Cast", [stash], [inverse!], { to: DTYPES[inverse!.dtype].onnxType });
    return true;
  },
};

/**
 * Root-mean-square normalisation over the last axis.
 *
 * @param x [..., C], a floating dtype
 * @param weight [C], the same dtype
 * @param eps added to the mean square; the checkpoint's `rms_norm_eps`
 * @throws TensorError `TENSOR_SHAPE_MISMATCH` when `weight` is not `[C]`
 * @see Zhang & Sennrich 2019, equation 4
 */
export function rmsNorm(x: Tracer, weight: Tracer, eps: number): Tracer {
  if (weight.shape.length !== 1 || String(weight.shape[0]) !== String(x.shape.at(-1))) {
    throw new TensorError(
      "TENSOR_SHAPE_MISMATCH",
      `rmsNorm: weight is ${formatShape(weight.shape)}, expected [${x.shape.at(-1)}] for x ${formatShape(x.shape)}`,
    );
  }
  return bindComposite(RMS_NORM, [x, weight], { eps })[0]!;
}

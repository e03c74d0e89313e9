// Root-mean-square normalisation: two composites, forward and backward from the kept inverse deviation, and the runtime's fused operator.
import type { Composite } from "../composite.ts";
import { DTYPES } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import { kernel } from "../onnx/kernel.ts";
import { add, dimValue, div, mean, mul, neg, sqrt, sub, sum } from "../ops.ts";
import { addCotangents, sumTo } from "../rules/vjp.ts";
import { formatShape } from "../shape.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { quantizeRows } from "./quantize-rows.ts";

const last = { axis: -1, keepDims: true } as const;

const RMS_NORM: Composite = {
  name: "rmsNorm",
  // (x [..., C], weight [C]) → y [..., C], 1 / deviation [..., 1]
  define([x, weight], { eps }) {
    const inverse = div(1, sqrt(add(mean(mul(x!, x!), last), eps!)));
    return [mul(mul(x!, inverse), weight!), inverse];
  },
  pullback([g, toInverse], [x, weight], [, inverse]) {
    const viaInverse = toInverse && mul(x!, inverseSlope(toInverse, inverse!, x!));
    if (g === undefined) return [viaInverse, undefined];
    const toX = bindComposite(RMS_NORM_GRAD, [g, x!, weight!, inverse!])[0]!;
    const rows = { axis: g.shape.map((_, axis) => axis).slice(0, -1) };
    return [addCotangents(viaInverse, toX), sumTo(sum(mul(g, mul(x!, inverse!)), rows), weight!.shape)];
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

/** dX / x of r = 1 / √(mean x² + eps), which only the gradient of a gradient asks for: −r³/C times the cotangent of r. */
const inverseSlope = (toInverse: Tracer, inverse: Tracer, x: Tracer): Tracer =>
  div(neg(mul(toInverse, mul(inverse, mul(inverse, inverse)))), dimValue(x.shape.at(-1)!, x.dtype));

const RMS_NORM_GRAD: Composite = {
  name: "rmsNormGrad",
  // (g [..., C], x [..., C], weight [C], inverse [..., 1], addend [..., C]?) → dX [..., C]
  // n = x·r:  dX = r·(g∘w − n·mean(g∘w∘n))
  define([g, x, weight, inverse, addend]) {
    const normalised = mul(x!, inverse!);
    const scaled = mul(g!, weight!);
    const toX = mul(inverse!, sub(scaled, mul(normalised, mean(mul(scaled, normalised), last))));
    return [addend === undefined ? toX : add(addend, toX)];
  },
  lower: kernel("RmsNormGrad"),
};

/** `rmsNorm` and `quantizeRows` of its result in one pass; see `fuse`. */
export const RMS_NORM_QUANTIZE: Composite = {
  name: "rmsNormQuantize",
  // (x [..., C], weight [C]) → y [..., C], 1 / deviation [..., 1], q [..., C padded] uint8, scale [..., 1]
  define(inputs, attributes) {
    const [y, inverse] = bindComposite(RMS_NORM, inputs, attributes);
    const { q, scale } = quantizeRows(y!);
    return [y!, inverse!, q, scale];
  },
  lower: kernel("RmsNormQuantize", { attributes: ({ eps }) => ({ epsilon: { float: eps! } }) }),
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

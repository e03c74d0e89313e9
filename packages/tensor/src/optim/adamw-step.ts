// AdamW's update of one tensor as a composite: one pass where there is a native kernel. Rates are given, not computed.
import type { Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { add, cast, div, mul, sqrt, sub, where } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const ADAMW_STEP: Composite = {
  name: "adamwStep",
  // (g, mean, variance, parameter, scale [], step [], inverseDeviation [], decay [], isGood []) → mean, variance, parameter
  // Each old value is read only on the way to its own new one, so that the definition too may write in place.
  define([g, mean, variance, parameter, ...rest], { beta1, complement1, beta2, complement2, epsilon }) {
    const [scale, step, inverseDeviation, decay] = rest.slice(0, 4).map((each) => cast(each, g!.dtype));
    const isGood = rest[4]!;
    const scaled = mul(g!, scale!);
    const newMean = add(mul(mean!, beta1!), mul(scaled, complement1!));
    const newVariance = add(mul(variance!, beta2!), mul(mul(scaled, scaled), complement2!));
    const denominator = add(mul(sqrt(newVariance), inverseDeviation!), epsilon!);
    const newParameter = sub(mul(parameter!, decay!), mul(div(newMean, denominator), step!));
    return [
      where(isGood, newMean, mean!),
      where(isGood, newVariance, variance!),
      where(isGood, newParameter, parameter!),
    ];
  },
  inPlace: [
    [1, 0],
    [2, 1],
    [3, 2],
  ],
  lower: kernel("AdamW", {
    attributes: (given) =>
      Object.fromEntries(Object.entries(given).map(([name, float]) => [name, { float }])),
  }),
};

/** What one update does with every tensor; all [], float32 but for `isGood`. */
export interface Rates {
  /** what the gradient is multiplied by */
  readonly scale: Tracer;
  /** the learning rate over the mean's bias correction */
  readonly step: Tracer;
  /** 1 over the root of the variance's bias correction */
  readonly inverseDeviation: Tracer;
  /** what the parameter is multiplied by */
  readonly decay: Tracer;
  /** bool; false leaves everything as it was */
  readonly isGood: Tracer;
}

/** What stays the same from update to update. */
export interface Moments {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/** The new mean, variance and parameter of one tensor; all shapes and dtypes are equal. */
export function adamwStep(
  tensors: {
    readonly gradient: Tracer;
    readonly mean: Tracer;
    readonly variance: Tracer;
    readonly parameter: Tracer;
  },
  rates: Rates,
  { beta1, beta2, eps }: Moments,
): { readonly mean: Tracer; readonly variance: Tracer; readonly parameter: Tracer } {
  const { gradient, mean: m, variance: v, parameter: p } = tensors;
  const { scale, step, inverseDeviation, decay, isGood } = rates;
  const [mean, variance, parameter] = bindComposite(
    ADAMW_STEP,
    [gradient, m, v, p, scale, step, inverseDeviation, decay, isGood],
    { beta1, complement1: 1 - beta1, beta2, complement2: 1 - beta2, epsilon: eps },
  );
  return { mean: mean!, variance: variance!, parameter: parameter! };
}

// softmax and its logarithm over the last axis: definitions, pullbacks, and the runtime operators they become.
import type { Composite } from "../composite.ts";
import { add, div, exp, log, max, mul, reshape, stopGradient, sub, sum } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const last = { axis: -1, keepDims: true } as const;

const shifted = (x: Tracer): Tracer => sub(x, stopGradient(max(x, last)));

const SOFTMAX: Composite = {
  name: "softmax",
  define([x]) {
    const powers = exp(shifted(x!));
    return [div(powers, sum(powers, last))];
  },
  // dX = P ∘ (dP − Σ dP ∘ P)
  pullback([g], _, [p]) {
    return [mul(p!, sub(g!, sum(mul(g!, p!), last)))];
  },
  lower(lowering, equation) {
    lowering.emit("Softmax", equation.inputs, equation.outputs, { axis: -1 });
    return true;
  },
};

const LOG_SOFTMAX: Composite = {
  name: "logSoftmax",
  define([x]) {
    const centred = shifted(x!);
    return [sub(centred, log(sum(exp(centred), last)))];
  },
  // dX = dY − softmax(X) · Σ dY
  pullback([g], _, [y]) {
    return [sub(g!, mul(exp(y!), sum(g!, last)))];
  },
  lower(lowering, equation) {
    lowering.emit("LogSoftmax", equation.inputs, equation.outputs, { axis: -1 });
    return true;
  },
};

/** Softmax over the last axis. */
export const softmax = (x: Tracer): Tracer => bindComposite(SOFTMAX, [x])[0]!;

/** The logarithm of softmax over the last axis, in nats. */
export const logSoftmax = (x: Tracer): Tracer => bindComposite(LOG_SOFTMAX, [x])[0]!;

/** log Σ exp over the last axis, which is removed. */
export function logSumExp(x: Tracer): Tracer {
  const largest = stopGradient(max(x, last));
  const total = log(sum(exp(sub(x, largest)), last));
  return reshape(add(largest, total), x.shape.slice(0, -1));
}

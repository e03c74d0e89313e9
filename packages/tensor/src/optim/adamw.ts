// AdamW as an init/update pair of pure functions over trees. No schedule, no clipping, no loop.

import type { TensorSpec } from "../composite.ts";
import { add, cast, constant, div, mul, pow, sqrt, sub, where } from "../ops.ts";
import { scalar, Tensor } from "../tensor.ts";
import { isTensorSpec, isTracer, type Tracer } from "../trace.ts";
import { flatten, mapTree } from "../tree.ts";
import { adamwStep, type Rates } from "./adamw-step.ts";
import { zipTrees } from "./zip.ts";

/** Hyper-parameters; the defaults are PyTorch's, with no weight decay. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  /** decoupled: parameters shrink by learningRate · weightDecay per step */
  readonly weightDecay?: number;
  /** which parameters decay, by path; all by default */
  readonly decays?: (path: string) => boolean;
}

/** The optimiser's state: first and second moments in the parameters' shapes, and the number of steps taken. */
export interface AdamWState<Leaf> {
  readonly step: Leaf;
  readonly mean: unknown;
  readonly variance: unknown;
}

/** What a step is told about the gradients as a whole; an optimiser has to obey it. */
export interface UpdateGuard {
  /** [] float32: what they are to be multiplied by, such as `clipScale`; 1 by default */
  readonly scale?: Tracer;
  /** [] bool: when false, parameters and state stay as they are; true by default */
  readonly isGood?: Tracer;
}

/** An optimiser: a state for given parameters, and one step of them. */
export interface Optimizer {
  /** The state before the first step, on the host. */
  init(parameters: unknown): AdamWState<Tensor>;
  /** One step, traced. */
  update(
    gradients: unknown,
    state: AdamWState<Tracer>,
    parameters: unknown,
    learningRate: Tracer,
    guard?: UpdateGuard,
  ): { readonly parameters: unknown; readonly state: AdamWState<Tracer> };
}

/**
 * AdamW with bias correction; the corrections are computed in float64, as PyTorch does on the host.
 *
 * @see Loshchilov & Hutter 2019, algorithm 2; torch.optim.AdamW
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0, decays = () => true } = options;
  const zeros = (parameters: unknown) =>
    mapTree(parameters, isTensorSpec, ({ dtype, shape }: TensorSpec) =>
      Tensor.zeros(dtype, shape as readonly number[]),
    );

  return {
    init: (parameters) => ({
      step: scalar(0, "float64"),
      mean: zeros(parameters),
      variance: zeros(parameters),
    }),
    update(gradients, state, parameters, learningRate, guard = {}) {
      const { scale = constant(1), isGood = constant(1, "bool") } = guard;
      const step = add(state.step, 1);
      const correction = (beta: number) => sub(1, pow(constant(beta, "float64"), step));
      const rate = cast(learningRate, "float64");
      const rates: Rates = {
        scale,
        step: cast(div(rate, correction(beta1)), "float32"),
        inverseDeviation: cast(div(1, sqrt(correction(beta2))), "float32"),
        decay: cast(sub(1, mul(rate, weightDecay)), "float32"),
        isGood,
      };
      const withoutDecay = { ...rates, decay: constant(1) };
      const trees = [gradients, state.mean, state.variance, parameters];
      const updated = zipTrees(trees, ([gradient, mean, variance, parameter], path) => {
        const tensors = { gradient: gradient!, mean: mean!, variance: variance!, parameter: parameter! };
        return adamwStep(tensors, decays(path) ? rates : withoutDecay, { beta1, beta2, eps });
      });
      const pick = (name: "mean" | "variance" | "parameter") => {
        let next = 0;
        return mapTree(parameters, isTracer, () => updated[next++]![name]);
      };
      return {
        parameters: pick("parameter"),
        state: { step: where(isGood, step, state.step), mean: pick("mean"), variance: pick("variance") },
      };
    },
  };
}

/** The number of elements of a tree of specs. */
export const parameterCount = (parameters: unknown): number =>
  flatten(parameters, isTensorSpec).reduce(
    (total, { leaf }) => total + leaf.shape.reduce<number>((n, size) => n * Number(size), 1),
    0,
  );

// One training step as traced programs over resident state: gradient accumulation, and the guarded, clipped update.
import type { TensorSpec } from "../composite.ts";
import { valueAndGrad } from "../grad.ts";
import { isFinite } from "../ops.ts";
import type { AdamWState, Optimizer } from "../optim/adamw.ts";
import { clipScale, globalNorm } from "../optim/clip.ts";
import { accumulate } from "../optim/reductions.ts";
import { zipTrees } from "../optim/zip.ts";
import type { Program } from "../program.ts";
import { isTensorSpec, isTracer, spec, type Tracer, trace } from "../trace.ts";
import { mapTree } from "../tree.ts";

/**
 * The mean loss of a micro-batch, traced.
 *
 * @param parameters the tree of what is trained
 * @param batch the tree of the micro-batch
 * @param seed [] int64, new for every micro-batch: for dropout
 * @returns [] float32
 */
export type LossFunction = (parameters: never, batch: never, seed: Tracer) => Tracer;

const scalarSpec = (dtype: TensorSpec["dtype"]) => spec(dtype, []);

/**
 * (parameters, batch, seed, accumulated, isFirst) → { loss, accumulated }: adds a micro-batch's gradient, divided by
 * the number of micro-batches, to the sum; the first one of a step begins a new sum.
 */
export function traceGradient(
  loss: LossFunction,
  parameters: unknown,
  batch: unknown,
  { microBatches }: { readonly microBatches: number },
): Program {
  return trace(
    (at, data, seed, accumulated, isFirst) => {
      const { value, gradient } = valueAndGrad((each: unknown) =>
        loss(each as never, data as never, seed as Tracer),
      )(at);
      if (microBatches === 1) return { loss: value, accumulated: gradient };
      const sums = zipTrees([accumulated, gradient], ([sum, part]) =>
        accumulate(sum!, part!, isFirst as Tracer, microBatches),
      );
      let next = 0;
      return { loss: value, accumulated: mapTree(gradient, isTracer, () => sums[next++]!) };
    },
    [parameters, batch, scalarSpec("int64"), parameters, scalarSpec("bool")],
  );
}

/** (parameters, batch, seed) → { loss }. */
export function traceLoss(loss: LossFunction, parameters: unknown, batch: unknown): Program {
  return trace(
    (at, data, seed) => ({ loss: loss(at as never, data as never, seed as Tracer) }),
    [parameters, batch, scalarSpec("int64")],
  );
}

/**
 * (parameters, state, accumulated, learningRate) → { parameters, state, gradientNorm }. When the gradient's norm is
 * infinite or NaN, parameters and state stay as they are: the caller sees it in `gradientNorm`.
 */
export function traceUpdate(
  optimizer: Optimizer,
  parameters: unknown,
  options: { readonly maxGradNorm?: number },
): Program {
  const state = mapTree(
    optimizer.init(parameters),
    (leaf): leaf is TensorSpec => isTensorSpec(leaf),
    ({ dtype, shape }) => spec(dtype, shape),
  );
  return trace(
    (at, before, accumulated, learningRate) => {
      const gradientNorm = globalNorm(accumulated);
      const { maxGradNorm } = options;
      const guard = {
        isGood: isFinite(gradientNorm),
        ...(maxGradNorm !== undefined && { scale: clipScale(gradientNorm, maxGradNorm) }),
      };
      const state = before as AdamWState<Tracer>;
      return { ...optimizer.update(accumulated, state, at, learningRate as Tracer, guard), gradientNorm };
    },
    [parameters, state, parameters, scalarSpec("float32")],
  );
}

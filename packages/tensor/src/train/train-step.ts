// One training step as traced programs over resident state: gradient accumulation, and the guarded, clipped update.
import type { TensorSpec } from "../composite.ts";
import { valueAndGrad } from "../grad.ts";
import { add, cast, div, isFinite, where } from "../ops.ts";
import type { AdamWState, Optimizer } from "../optim/adamw.ts";
import { clipByNorm, globalNorm } from "../optim/clip.ts";
import { zipTrees } from "../optim/zip.ts";
import type { Program } from "../program.ts";
import { type HalfDType, saveActivations } from "../saved-activations.ts";
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

/** The dtype of what the forward pass keeps for the gradient. */
export type SavedActivations = "float32" | HalfDType;

const scalarSpec = (dtype: TensorSpec["dtype"]) => spec(dtype, []);

/** Both trees leaf by leaf, in the structure of the first. */
function combine(first: unknown, second: unknown, fn: (a: Tracer, b: Tracer) => Tracer): unknown {
  const leaves = zipTrees([first, second], ([a, b]) => fn(a!, b!));
  let next = 0;
  return mapTree(first, isTracer, () => leaves[next++]!);
}

/**
 * (parameters, batch, seed, accumulated, isFirst) → { loss, accumulated }: adds a micro-batch's gradient, divided by
 * the number of micro-batches, to the sum; the first one of a step begins a new sum.
 */
export function traceGradient(
  loss: LossFunction,
  parameters: unknown,
  batch: unknown,
  options: { readonly microBatches: number; readonly savedActivations?: SavedActivations },
): Program {
  const { microBatches, savedActivations = "float32" } = options;
  const program = trace(
    (at, data, seed, accumulated, isFirst) => {
      const { value, gradient } = valueAndGrad((each: unknown) =>
        loss(each as never, data as never, seed as Tracer),
      )(at);
      const total = combine(accumulated, gradient, (sum, part) =>
        add(where(isFirst as Tracer, 0, sum), div(part, microBatches)),
      );
      return { loss: value, accumulated: total };
    },
    [parameters, batch, scalarSpec("int64"), parameters, scalarSpec("bool")],
  );
  if (savedActivations === "float32") return program;
  const { variable } = program.outputs.find(({ path }) => path === "loss")!;
  return saveActivations(program, variable, savedActivations);
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
      const gradients =
        options.maxGradNorm === undefined
          ? accumulated
          : clipByNorm(accumulated, gradientNorm, options.maxGradNorm);
      const after = optimizer.update(gradients, before as AdamWState<Tracer>, at, learningRate as Tracer);
      const isGood = isFinite(gradientNorm);
      const guarded = (next: unknown, old: unknown) =>
        combine(next, old, (a, b) => where(isGood, a, cast(b, a.dtype)));
      return {
        parameters: guarded(after.parameters, at),
        state: guarded(after.state, before),
        gradientNorm,
      };
    },
    [parameters, state, parameters, scalarSpec("float32")],
  );
}

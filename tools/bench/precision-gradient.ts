// Losses and gradients of one precision, and how far the gradients are from float32's.
import { createAdapterTrainer, type LoraTree } from "@flacuna/lora";
import {
  add,
  constantSchedule,
  flatten,
  isTracer,
  mapTree,
  mul,
  type Optimizer,
  type Precision,
  scalar,
  type Tensor,
} from "@flacuna/tensor";
import type { PrecisionSetup } from "./precision-setup.ts";

/** Loss and gradient of one micro-batch. */
export interface LossAndGradient {
  readonly loss: number;
  readonly gradient: LoraTree<Tensor>;
}

/** Puts the gradient in the place of the parameters, where it can be read; adds 0 times what it is written over. */
const KEEP_GRADIENT: Optimizer = {
  init: () => ({ step: scalar(0, "float64"), mean: {}, variance: {} }),
  update(gradients, state, parameters) {
    const before = flatten(parameters, isTracer);
    let next = 0;
    const parts = mapTree(gradients, isTracer, (gradient) => add(gradient, mul(before[next++]!.leaf, 0)));
    return { parameters: parts, state };
  },
};

/** What the trainer of this precision computes of each micro-batch, at the disturbed adapter. */
export async function gradientsOf(setup: PrecisionSetup, precision: Precision): Promise<LossAndGradient[]> {
  const { config, weights, disturbedAdapter: adapter, threads } = setup;
  const trainer = await createAdapterTrainer({
    config,
    weights,
    adapter,
    precision,
    optimizer: KEEP_GRADIENT,
    schedule: constantSchedule(0),
    ...(threads !== undefined && { threads }),
  });
  const start = await trainer.state();
  const results: LossAndGradient[] = [];
  for (const batch of setup.gradientBatches) {
    trainer.restore(start);
    const { loss } = await trainer.train([batch]);
    results.push({ loss, gradient: (await trainer.state()).parameters as LoraTree<Tensor> });
  }
  await trainer.dispose();
  return results;
}

/** How two gradients agree: the cosine of the angle between them, of all factors and of each kind. */
export interface GradientAgreement {
  readonly all: number;
  readonly A: number;
  readonly B: number;
  /** the factor that agrees least */
  readonly worst: { readonly name: string; readonly cosine: number };
}

/** Sums that a cosine is made of. */
type Products = readonly [ab: number, aa: number, bb: number];

export function compareGradients(got: LoraTree<Tensor>, expected: LoraTree<Tensor>): GradientAgreement {
  const factors = Object.keys(expected).flatMap((module) =>
    (["A", "B"] as const).map((kind) => ({
      name: `${module}.${kind}`,
      kind,
      products: productsOf(got[module]![kind], expected[module]![kind]),
    })),
  );
  const cosines = factors.map(({ name, products }) => ({ name, cosine: cosineOf([products]) }));
  const cosineOfKind = (kind: "A" | "B") =>
    cosineOf(factors.filter((each) => each.kind === kind).map(({ products }) => products));
  return {
    all: cosineOf(factors.map(({ products }) => products)),
    A: cosineOfKind("A"),
    B: cosineOfKind("B"),
    worst: cosines.reduce((worst, each) => (each.cosine < worst.cosine ? each : worst)),
  };
}

function productsOf(a: Tensor, b: Tensor): Products {
  const [left, right] = [a.data as Float32Array, b.data as Float32Array];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [index, value] of left.entries()) {
    ab += value * right[index]!;
    aa += value * value;
    bb += right[index]! ** 2;
  }
  return [ab, aa, bb];
}

function cosineOf(parts: readonly Products[]): number {
  const total = (place: 0 | 1 | 2) => parts.reduce((sum, part) => sum + part[place], 0);
  return total(0) / Math.sqrt(total(1) * total(2));
}

// Every gradient of full training and of an adapter, held to PyTorch's autograd through transformers and PEFT.
import { adapterLoss, fullLoss, type LoraTree, SUPERVISED_BATCH, toSupervisedBatch } from "@flacuna/lora";
import { llamaParameterShapes } from "@flacuna/model";
import {
  isTensor,
  type LossFunction,
  mapTree,
  scalar,
  spec,
  type Tensor,
  type Tracer,
  trace,
  valueAndGrad,
} from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { mismatches, runOnce, scaledError, TOLERANCE, worstError } from "./closeness.ts";
import { byPeftName, evaluationBatch, TOYS, type ToyModel } from "./toy-models.ts";

/** Value and gradient of a loss at a tree of parameters, for the golden batch. */
async function differentiate(toy: ToyModel, loss: LossFunction, parameters: unknown) {
  const program = trace(
    (at: unknown, batch: unknown, seed: Tracer) =>
      valueAndGrad((each: unknown) => loss(each as never, batch as never, seed))(at),
    [
      mapTree(parameters, isTensor, ({ dtype, shape }) => spec(dtype, shape)),
      SUPERVISED_BATCH,
      spec("int64", []),
    ],
  );
  const batch = toSupervisedBatch(evaluationBatch(toy));
  const outputs = await runOnce(program, [parameters, batch, scalar(0, "int64")], toy.weights);
  return outputs as { readonly value: Tensor; readonly gradient: unknown };
}

describe("fullLoss()", () => {
  it.each(TOYS)("has the reference's value and gradient in every parameter of $name", async (toy) => {
    const { value, gradient } = await differentiate(toy, fullLoss(toy.config), toy.parameters);
    const gradients = gradient as Record<string, Tensor>;
    expect(Object.keys(gradients)).toEqual([...llamaParameterShapes(toy.config).keys()]);
    expect(mismatches(gradients, (path) => toy.value(`grad.${path}`), scaledError)).toEqual({});
    expect(worstError(value.toNumbers(), toy.value("loss").toNumbers())).toBeLessThanOrEqual(TOLERANCE);
  });
});

describe("adapterLoss()", () => {
  it.each(TOYS)("has the reference's value and gradient in every factor of $name", async (toy) => {
    const loss = adapterLoss(toy.config, toy.adapter.config, true);
    const { value, gradient } = await differentiate(toy, loss, toy.adapter.tensors);
    const gradients = byPeftName(gradient as LoraTree<Tensor>);
    expect(Object.keys(gradients)).toHaveLength(4 * toy.config.numHiddenLayers);
    expect(mismatches(gradients, (key) => toy.value(`lora.grad.${key}`), scaledError)).toEqual({});
    expect(worstError(value.toNumbers(), toy.value("lora.loss").toNumbers())).toBeLessThanOrEqual(TOLERANCE);
  });
});

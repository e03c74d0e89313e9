// Logits, hidden states and losses, held to transformers' LlamaForCausalLM and PEFT's LoRA.
import { createLossEvaluator, type LoraTree, loraLinear, toSupervisedBatch } from "@flacuna/lora";
import {
  type LlamaOptions,
  llamaHidden,
  llamaLogits,
  llamaParameterShapes,
  type Parameters,
} from "@flacuna/model";
import { dim, isTensor, mapTree, spec, type Tensor, type Tracer, trace, weight } from "@flacuna/tensor";
import { relativeError } from "@flacuna/tensor/testing";
import { describe, expect, it } from "vitest";
import { runOnce, TOLERANCE, worstError } from "./closeness.ts";
import { evaluationBatch, TOYS, type ToyModel, withoutPadding } from "./toy-models.ts";

const INPUT = spec("int64", [dim("B"), dim("T")]);

function parametersOf({ config }: ToyModel): Parameters {
  const shapes = llamaParameterShapes(config);
  return (path) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
}

async function logitsOf(toy: ToyModel, options: LlamaOptions = {}): Promise<Tensor> {
  const program = trace(
    (inputIds) => llamaLogits(toy.config, parametersOf(toy), { inputIds }, options),
    [INPUT],
  );
  const logits = await runOnce(program, [toy.value("batch.input_ids")], toy.weights);
  return withoutPadding(toy, logits as Tensor);
}

describe("llamaHidden()", () => {
  it.each(TOYS)("gives the reference's hidden states for $name", async (toy) => {
    const program = trace((inputIds) => llamaHidden(toy.config, parametersOf(toy), { inputIds }), [INPUT]);
    const hidden = (await runOnce(program, [toy.value("batch.input_ids")], toy.weights)) as Tensor;
    const expected = toy.value(`hidden.${toy.config.numHiddenLayers}`);
    expect(relativeError(withoutPadding(toy, hidden), expected)).toBeLessThanOrEqual(TOLERANCE);
  });
});

describe("llamaLogits()", () => {
  it.each(TOYS)("gives the reference's logits for $name", async (toy) => {
    expect(relativeError(await logitsOf(toy), toy.value("logits"))).toBeLessThanOrEqual(TOLERANCE);
  });
});

describe("loraLinear()", () => {
  it.each(TOYS)("gives $name with its adapter the reference's logits", async (toy) => {
    const { adapter, config } = toy;
    const program = trace(
      (inputIds: Tracer, factors: LoraTree<Tracer>) => {
        const linear = loraLinear(factors, adapter.config);
        return llamaLogits(config, parametersOf(toy), { inputIds }, { linear });
      },
      [INPUT, mapTree(adapter.tensors, isTensor, ({ dtype, shape }) => spec(dtype, shape))],
    );
    const logits = await runOnce(program, [toy.value("batch.input_ids"), adapter.tensors], toy.weights);
    const error = relativeError(withoutPadding(toy, logits as Tensor), toy.value("lora.logits"));
    expect(error).toBeLessThanOrEqual(TOLERANCE);
  });
});

describe("createLossEvaluator()", () => {
  it.each(TOYS)("measures the reference's loss of $name", async (toy) => {
    const evaluator = await createLossEvaluator({ config: toy.config, weights: toy.weights, threads: 1 });
    const loss = await evaluator.evaluate(toSupervisedBatch(evaluationBatch(toy)));
    await evaluator.dispose();
    expect(worstError([loss], toy.value("loss").toNumbers())).toBeLessThanOrEqual(TOLERANCE);
  });
});

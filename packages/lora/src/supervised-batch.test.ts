import {
  evaluate,
  flatten,
  isTensor,
  mapTree,
  scalar,
  spec,
  type Tensor,
  type Tracer,
  trace,
  valueAndGrad,
} from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { adapterLoss } from "./fine-tune.ts";
import { TOY, TOY_LORA, TOY_PARAMETERS, toyAdapter, toyBatch } from "./fixtures/toy-model.ts";
import { countLabels, SUPERVISED_BATCH, toSupervisedBatch } from "./supervised-batch.ts";

const TWO_ROWS = toyBatch([
  { ids: [1, 5, 6, 7], promptLength: 2 },
  { ids: [1, 8, 9], promptLength: 0 },
]);
const NO_LABELS = toyBatch([{ ids: [1, 5, 6], promptLength: 3 }]);

describe("toSupervisedBatch()", () => {
  it("lets each position predict the label after it, row by row, with equal weights that sum to 1", () => {
    const { inputIds, positions, labels, weights } = toSupervisedBatch(TWO_ROWS);
    expect(inputIds.shape).toEqual([2, 4]);
    expect(positions.toNumbers()).toEqual([1, 2, 4, 5]);
    expect(labels.toNumbers()).toEqual([6, 7, 8, 9]);
    expect(weights.toNumbers()).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  it("gives a batch without labels one position of weight zero", () => {
    const { positions, labels, weights } = toSupervisedBatch(NO_LABELS);
    expect([positions, labels, weights].map((tensor) => tensor.toNumbers())).toEqual([[0], [0], [0]]);
  });

  it("gives a batch without labels a loss of zero and a gradient of zero", () => {
    const { tensors } = toyAdapter();
    const program = trace(
      (adapter: unknown, batch: unknown, seed: Tracer) =>
        valueAndGrad((at: unknown) => adapterLoss(TOY, TOY_LORA, true)(at as never, batch as never, seed))(
          adapter,
        ),
      [
        mapTree(tensors, isTensor, ({ dtype, shape }) => spec(dtype, shape)),
        SUPERVISED_BATCH,
        spec("int64", []),
      ],
    );
    const args = [tensors, toSupervisedBatch(NO_LABELS), scalar(0, "int64")];
    const outputs = evaluate(program, args, new Map(Object.entries(TOY_PARAMETERS)));
    const { value, gradient } = outputs as { readonly value: Tensor; readonly gradient: unknown };
    const numbers = flatten(gradient, isTensor).flatMap(({ leaf }) => leaf.toNumbers());
    expect(Math.abs(value.toNumbers()[0]!)).toBe(0);
    expect(new Set(numbers.map(Math.abs))).toEqual(new Set([0]));
  });
});

describe("countLabels()", () => {
  it("counts labels after the first column", () => {
    expect(countLabels(TWO_ROWS)).toBe(4);
    expect(countLabels(NO_LABELS)).toBe(0);
  });
});

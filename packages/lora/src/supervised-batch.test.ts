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
import { countLabels, type LabelledBatch, SUPERVISED_BATCH, toSupervisedBatch } from "./supervised-batch.ts";

const TWO_ROWS = toyBatch([
  { ids: [1, 5, 6, 7], promptLength: 2 },
  { ids: [1, 8, 9], promptLength: 0 },
]);
const NO_LABELS = toyBatch([{ ids: [1, 5, 6], promptLength: 3 }]);

/** Of 4, 3 and 2 tokens, the latter two labelled from their first on. */
const DOCUMENTS = [
  { ids: [1, 5, 6, 7], promptLength: 2 },
  { ids: [1, 8, 9], promptLength: 0 },
  { ids: [2, 11], promptLength: 0 },
];
/** All of them in one row. */
const PACKED: LabelledBatch = {
  ...toyBatch([{ ids: DOCUMENTS.flatMap(({ ids }) => ids), promptLength: 2 }]),
  starts: Int32Array.of(0, 0, 0, 0, 4, 4, 4, 7, 7),
};

const ADAPTER = toyAdapter().tensors;
const PROGRAM = trace(
  (adapter: unknown, batch: unknown, seed: Tracer) =>
    valueAndGrad((at: unknown) => adapterLoss(TOY, TOY_LORA, true)(at as never, batch as never, seed))(
      adapter,
    ),
  [mapTree(ADAPTER, isTensor, ({ dtype, shape }) => spec(dtype, shape)), SUPERVISED_BATCH, spec("int64", [])],
);

interface Total {
  readonly loss: number;
  readonly gradient: readonly number[];
}

/** The mean loss of a batch and its gradient in every number of the adapter. */
function lossOf(batch: LabelledBatch): Total {
  const args = [ADAPTER, toSupervisedBatch(batch), scalar(0, "int64")];
  const outputs = evaluate(PROGRAM, args, new Map(Object.entries(TOY_PARAMETERS)));
  const { value, gradient } = outputs as { readonly value: Tensor; readonly gradient: unknown };
  return {
    loss: value.toNumbers()[0]!,
    gradient: flatten(gradient, isTensor).flatMap(({ leaf }) => leaf.toNumbers()),
  };
}

/** The sum over labelled tokens instead of their mean. */
function totalOf(batch: LabelledBatch): Total {
  const { loss, gradient } = lossOf(batch);
  const count = countLabels(batch);
  return { loss: loss * count, gradient: gradient.map((value) => value * count) };
}

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
    const { loss, gradient } = lossOf(NO_LABELS);
    expect(Math.abs(loss)).toBe(0);
    expect(new Set(gradient.map(Math.abs))).toEqual(new Set([0]));
  });

  it("lets no document predict the next one's first token", () => {
    const { starts, positions, labels } = toSupervisedBatch(PACKED);
    expect(starts.toNumbers()).toEqual([0, 0, 0, 0, 4, 4, 4, 7, 7]);
    expect(positions.toNumbers()).toEqual([1, 2, 4, 5, 7]);
    expect(labels.toNumbers()).toEqual([6, 7, 8, 9, 11]);
  });

  it("gives packed documents the losses and gradients of each alone", () => {
    const alone = DOCUMENTS.map((document) => totalOf(toyBatch([document])));
    const packed = totalOf(PACKED);
    const sum = (pick: (total: Total) => number) => alone.reduce((total, each) => total + pick(each), 0);
    expect(Math.abs(packed.loss / sum(({ loss }) => loss) - 1)).toBeLessThan(1e-5);
    const size = Math.hypot(...packed.gradient);
    expect(size).toBeGreaterThan(1);
    const difference = packed.gradient.map((value, index) => value - sum(({ gradient }) => gradient[index]!));
    expect(Math.hypot(...difference) / size).toBeLessThan(1e-5);
  });
});

describe("countLabels()", () => {
  it("counts labels after the first of each document", () => {
    expect(countLabels(TWO_ROWS)).toBe(4);
    expect(countLabels(NO_LABELS)).toBe(0);
    expect(countLabels(PACKED)).toBe(5);
  });
});

import { llamaParameterShapes } from "@flacuna/model";
import {
  adamW,
  constantSchedule,
  flatten,
  isTensor,
  Tensor,
  type Trainer,
  type TrainerState,
  type WeightSource,
  weightsFrom,
} from "@flacuna/tensor";
import { relativeError, TOLERANCES } from "@flacuna/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Adapter, createAdapter } from "./adapter.ts";
import { createAdapterTrainer, createFullTrainer, createLossEvaluator } from "./fine-tune.ts";
import { TOY, TOY_LORA, TOY_PARAMETERS, type ToyRow, toyAdapter, toyBatch } from "./fixtures/toy-model.ts";
import { toSupervisedBatch } from "./supervised-batch.ts";

const WEIGHTS = weightsFrom(new Map(Object.entries(TOY_PARAMETERS)));
const COMPILE_TIMEOUT_MS = 60_000;
/** Two rows with three labels each. */
const ROWS: readonly [ToyRow, ToyRow] = [
  { ids: [1, 5, 6, 7, 2], promptLength: 2 },
  { ids: [1, 11, 12, 2], promptLength: 1 },
];
const SHARED = { config: TOY, optimizer: adamW(), schedule: constantSchedule(0.01), threads: 1 } as const;

interface TrainerChanges {
  readonly adapter?: Adapter;
  readonly weights?: WeightSource;
  readonly accumulationSteps?: number;
}

const createTrainer = ({
  adapter = toyAdapter(),
  weights = WEIGHTS,
  ...changes
}: TrainerChanges = {}): Promise<Trainer> =>
  createAdapterTrainer({ ...SHARED, adapter, weights, maxGradNorm: 1, seed: 3, ...changes });

const batchOf = (rows: readonly ToyRow[], sequenceLength?: number) =>
  toSupervisedBatch(toyBatch(rows, sequenceLength));

/** The largest relative difference between the parameters of two states. */
function difference(a: TrainerState, b: TrainerState): number {
  const [left, right] = [flatten(a.parameters, isTensor), flatten(b.parameters, isTensor)];
  expect(left.map(({ path }) => path)).toEqual(right.map(({ path }) => path));
  return Math.max(...left.map(({ leaf }, index) => relativeError(leaf, right[index]!.leaf)));
}

describe("createAdapterTrainer()", () => {
  let trainer: Trainer;
  let start: TrainerState;
  beforeAll(async () => {
    trainer = await createTrainer();
    start = await trainer.state();
  }, COMPILE_TIMEOUT_MS);
  afterAll(() => trainer.dispose());

  /** What one step from the start does with a batch. */
  async function stepWith(batch: unknown) {
    trainer.restore(start);
    const result = await trainer.train([batch]);
    return { result, state: await trainer.state() };
  }

  it("lowers the loss", async () => {
    trainer.restore(start);
    const batch = batchOf(ROWS);
    const before = await trainer.evaluate(batch);
    for (let step = 0; step < 10; step++) await trainer.train([batch]);
    expect(await trainer.evaluate(batch)).toBeLessThan(before - 0.1);
  });

  it.each([
    ["more padding", batchOf(ROWS, 9)],
    ["another order of rows", batchOf(ROWS.toReversed())],
  ])("is indifferent to %s, to rounding", async (_, other) => {
    const [a, b] = [await stepWith(batchOf(ROWS)), await stepWith(other)];
    expect(b.result.loss).toBeCloseTo(a.result.loss, 5);
    expect(b.result.gradientNorm).toBeCloseTo(a.result.gradientNorm, 5);
    expect(difference(a.state, b.state)).toBeLessThanOrEqual(TOLERANCES.float32);
  });

  it("makes of two micro-batches with equally many labels what it makes of their union", async () => {
    const union = await stepWith(batchOf(ROWS));
    const accumulating = await createTrainer({ accumulationSteps: 2 });
    const result = await accumulating.train([batchOf([ROWS[0]]), batchOf([ROWS[1]])]);
    const state = await accumulating.state();
    await accumulating.dispose();
    expect(result.loss).toBeCloseTo(union.result.loss, 5);
    expect(result.gradientNorm).toBeCloseTo(union.result.gradientNorm, 5);
    expect(difference(state, union.state)).toBeLessThanOrEqual(TOLERANCES.float32);
  });

  it("leaves the adapter as it is, and says so, when a gradient is not finite", async () => {
    const norm = TOY_PARAMETERS["model.norm.weight"]!;
    const broken = Tensor.fromArray("float32", norm.shape, norm.toNumbers().with(0, Number.NaN));
    const weights = weightsFrom(new Map(Object.entries({ ...TOY_PARAMETERS, "model.norm.weight": broken })));
    const other = await createTrainer({ weights });
    const result = await other.train([batchOf(ROWS)]);
    const { parameters, optimizer } = await other.state();
    await other.dispose();
    expect(result).toMatchObject({ step: 0, loss: Number.NaN, gradientNorm: Number.NaN, skipped: true });
    expect({ parameters, optimizer }).toEqual({ parameters: start.parameters, optimizer: start.optimizer });
  });

  it("evaluates the bare model's loss when B is zero", async () => {
    const evaluator = await createLossEvaluator({ config: TOY, weights: WEIGHTS, threads: 1 });
    const bare = await evaluator.evaluate(batchOf(ROWS));
    await evaluator.dispose();
    const { tensors } = createAdapter(llamaParameterShapes(TOY), TOY_LORA, { seed: 1 });
    trainer.restore({ ...start, parameters: tensors });
    expect(await trainer.evaluate(batchOf(ROWS))).toBe(bare);
  });
});

describe("createAdapterTrainer() with dropout", () => {
  const adapter = toyAdapter({ ...TOY_LORA, dropout: 0.3 });
  const batches = [batchOf(ROWS), batchOf([ROWS[0]]), batchOf([ROWS[1]]), batchOf(ROWS, 7)];
  let trainer: Trainer;
  let start: TrainerState;
  beforeAll(async () => {
    trainer = await createTrainer({ adapter });
    start = await trainer.state();
  }, COMPILE_TIMEOUT_MS);
  afterAll(() => trainer.dispose());

  it("goes on from a state bit for bit as if it had never stopped", async () => {
    trainer.restore(start);
    const results = [];
    for (const batch of batches.slice(0, 2)) results.push(await trainer.train([batch]));
    const half = await trainer.state();
    for (const batch of batches.slice(2)) results.push(await trainer.train([batch]));
    const uninterrupted = await trainer.state();
    const resumed = await createTrainer({ adapter });
    resumed.restore(half);
    for (const [index, batch] of batches.slice(2).entries()) {
      expect(await resumed.train([batch])).toEqual(results[2 + index]);
    }
    expect(await resumed.state()).toEqual(uninterrupted);
    await resumed.dispose();
  });

  it("drops in training and not in evaluation", async () => {
    trainer.restore(start);
    const evaluated = await trainer.evaluate(batches[0]);
    expect(await trainer.evaluate(batches[0])).toBe(evaluated);
    const { loss } = await trainer.train([batches[0]]);
    expect(Math.abs(loss - evaluated)).toBeGreaterThan(1e-4);
  });
});

describe("createFullTrainer()", () => {
  it("lowers the loss by training every weight", async () => {
    const trainer = await createFullTrainer({ ...SHARED, parameters: TOY_PARAMETERS });
    const batch = batchOf(ROWS);
    const before = await trainer.evaluate(batch);
    for (let step = 0; step < 10; step++) await trainer.train([batch]);
    const after = await trainer.evaluate(batch);
    const trained = (await trainer.state()).parameters as Record<string, Tensor>;
    await trainer.dispose();
    expect(after).toBeLessThan(before / 2);
    expect(
      Object.keys(trained).filter((path) => relativeError(trained[path]!, TOY_PARAMETERS[path]!) === 0),
    ).toEqual([]);
  });
});

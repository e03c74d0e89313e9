import { afterEach, describe, expect, it } from "vitest";
import { add, dropout, matmul, mean, mul, sub } from "../index.ts";
import { adamW } from "../optim/adamw.ts";
import { constantSchedule } from "../optim/schedule.ts";
import { dim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { randomTensor } from "../testing.ts";
import { spec, type Tracer } from "../trace.ts";
import { createTrainer, type Trainer, type TrainerOptions } from "./trainer.ts";

type Parameters = { readonly weight: Tracer; readonly bias: Tracer };
type Batch = { readonly x: Tracer; readonly y: Tracer };

const squaredError = (x: Tracer, y: Tracer, { weight, bias }: Parameters): Tracer => {
  const error = sub(add(matmul(x, weight), bias), y);
  return mean(mul(error, error));
};
const loss = (parameters: Parameters, { x, y }: Batch) => squaredError(x, y, parameters);
const noisyLoss = (parameters: Parameters, { x, y }: Batch, seed: Tracer) =>
  squaredError(dropout(x, { rate: 0.4, seed, stream: 0 }), y, parameters);

const N = dim("N");
const options = {
  loss,
  batch: { x: spec("float32", [N, 3]), y: spec("float32", [N, 1]) },
  parameters: { weight: Tensor.zeros("float32", [3, 1]), bias: Tensor.zeros("float32", [1]) },
  optimizer: adamW({ weightDecay: 0.01 }),
  schedule: constantSchedule(0.05),
  threads: 1,
} satisfies TrainerOptions;

/** y = x·[1, −2, 3] + 4 */
function batch(seed: number, rows = 8) {
  const x = randomTensor([rows, 3], seed, "float32");
  const values = x.toNumbers();
  const y = Array.from({ length: rows }, (_, row) => {
    const [a, b, c] = values.slice(3 * row, 3 * row + 3) as [number, number, number];
    return a - 2 * b + 3 * c + 4;
  });
  return { x, y: Tensor.fromArray("float32", [rows, 1], y) };
}

const joined = (parts: readonly ReturnType<typeof batch>[]) => {
  const rows = parts.reduce((total, { x }) => total + x.shape[0]!, 0);
  const all = (name: "x" | "y") => parts.flatMap((part) => part[name].toNumbers());
  return {
    x: Tensor.fromArray("float32", [rows, 3], all("x")),
    y: Tensor.fromArray("float32", [rows, 1], all("y")),
  };
};

const trainers: Trainer[] = [];
async function trainer(changes: Partial<TrainerOptions> = {}): Promise<Trainer> {
  const made = await createTrainer({ ...options, ...changes });
  trainers.push(made);
  return made;
}
afterEach(() => Promise.all(trainers.splice(0).map((each) => each.dispose())));

describe("Trainer.train()", () => {
  it("brings the loss down, and reports step, rate and norm", async () => {
    const subject = await trainer({ schedule: (step) => 0.5 * 0.9 ** step });
    const first = await subject.train([batch(0)]);
    expect(first).toMatchObject({ step: 0, learningRate: 0.5, skipped: false });
    expect(first.gradientNorm).toBeGreaterThan(1);
    for (let step = 1; step < 40; step++) await subject.train([batch(step)]);
    expect(await subject.evaluate(batch(99))).toBeLessThan(first.loss / 10);
    expect(subject.step).toBe(40);
  });

  it("makes of micro-batches what it makes of the whole batch", async () => {
    const parts = [batch(1, 4), batch(2, 4), batch(3, 4)];
    const [split, whole] = [await trainer({ accumulationSteps: 3 }), await trainer()];
    for (let step = 0; step < 2; step++) {
      const [a, b] = [await split.train(parts), await whole.train([joined(parts)])];
      expect(a.loss).toBeCloseTo(b.loss, 4);
      expect(a.gradientNorm).toBeCloseTo(b.gradientNorm, 4);
    }
    await expect(split.train(parts.slice(1))).rejects.toMatchObject({ code: "TENSOR_INVALID_ARGUMENT" });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "skips a gradient of %d, says so and changes nothing",
    async (bad) => {
      const subject = await trainer({ maxGradNorm: 1 });
      await subject.train([batch(1)]);
      const before = await subject.state();
      const { x, y } = batch(2);
      const poisoned = Tensor.fromArray("float32", y.shape, [bad, ...y.toNumbers().slice(1)]);
      const result = await subject.train([{ x, y: poisoned }]);
      expect(result).toMatchObject({ step: 1, skipped: true });
      expect(Number.isFinite(result.gradientNorm)).toBe(false);
      expect(await subject.state()).toEqual({ ...before, step: 2 });
      expect(await subject.train([batch(3)])).toMatchObject({ step: 2, skipped: false });
    },
  );

  it("changes nothing when it is cancelled, and goes on", async () => {
    const subject = await trainer();
    await subject.train([batch(1)]);
    const before = await subject.state();
    await expect(subject.train([batch(2)], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "TENSOR_CANCELLED",
    });
    expect(await subject.state()).toEqual(before);
    expect(await subject.train([batch(2)])).toMatchObject({ step: 1, skipped: false });
  });

  it("gives the same bytes for the same seed, others for another", async () => {
    const run = async (seed: number) => {
      const subject = await trainer({ loss: noisyLoss as typeof loss, seed });
      for (let step = 0; step < 3; step++) await subject.train([batch(step)]);
      return subject.state();
    };
    const [once, again, other] = [await run(5), await run(5), await run(6)];
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  });

  it("leaves the parameters it was given alone", async () => {
    const subject = await trainer();
    await subject.train([batch(1)]);
    expect(options.parameters.weight.toNumbers()).toEqual([0, 0, 0]);
  });
});

describe("Trainer.restore()", () => {
  const changes = { loss: noisyLoss as typeof loss, seed: 3, maxGradNorm: 0.5 };

  it("goes on as if never stopped, bit for bit, in the same trainer and in a new one", async () => {
    const [subject, fresh] = [await trainer(changes), await trainer(changes)];
    for (let step = 0; step < 3; step++) await subject.train([batch(step)]);
    const middle = await subject.state();
    const finish = async (each: Trainer) => {
      const results = [];
      for (let step = 3; step < 6; step++) results.push(await each.train([batch(step)]));
      return { results, state: await each.state() };
    };
    const uninterrupted = await finish(subject);
    for (const each of [subject, fresh]) {
      each.restore(middle);
      expect(each.step).toBe(3);
      expect(await finish(each)).toEqual(uninterrupted);
    }
  });

  it("refuses a state of other names, shapes or dtypes and keeps its own", async () => {
    const subject = await trainer(changes);
    const state = await subject.state();
    const { weight, bias } = options.parameters;
    const wrong = [
      { ...state, parameters: { weight } },
      { ...state, parameters: { weight, offset: bias } },
      { ...state, parameters: { weight: Tensor.zeros("float32", [1, 3]), bias } },
      { ...state, parameters: { weight: Tensor.zeros("float64", [3, 1]), bias } },
      { ...state, optimizer: {} },
    ];
    for (const each of wrong)
      expect(() => subject.restore(each)).toThrow(/restore: the (parameters|optimizer)/);
    expect(await subject.state()).toEqual(state);
  });
});

describe("Trainer.evaluate()", () => {
  it("uses the evaluation loss and changes nothing", async () => {
    const subject = await trainer({ loss: noisyLoss as typeof loss, evaluationLoss: loss });
    const before = await subject.state();
    const { y } = batch(1);
    const expected = y.toNumbers().reduce((total, value) => total + value ** 2, 0) / y.size;
    expect(await subject.evaluate(batch(1))).toBeCloseTo(expected, 4);
    expect(await subject.state()).toEqual(before);
  });
});

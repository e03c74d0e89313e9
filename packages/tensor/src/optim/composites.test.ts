import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { runEverywhere } from "../fixtures/lowerings.ts";
import { mul } from "../ops.ts";
import { Value } from "../runtime/value.ts";
import { scalar, Tensor } from "../tensor.ts";
import { randomTensor, relativeError } from "../testing.ts";
import { spec, type Tracer, trace } from "../trace.ts";
import { adamwStep } from "./adamw-step.ts";
import { accumulate, sumOfSquares } from "./reductions.ts";

const random = (seed: number, shape: readonly number[] = [5, 67]) => randomTensor(shape, seed, "float32");
const specsOf = (args: readonly Tensor[]) => args.map(({ dtype, shape }) => spec(dtype, shape));
const flag = (isTrue: boolean): Tensor => scalar(isTrue, "bool");

const update = (...args: Tracer[]) => {
  const [gradient, mean, variance, parameter, scale, step, inverseDeviation, decay, isGood] = args as [
    ...[Tracer, Tracer, Tracer, Tracer],
    ...[Tracer, Tracer, Tracer, Tracer],
    Tracer,
  ];
  return adamwStep(
    { gradient, mean, variance, parameter },
    { scale, step, inverseDeviation, decay, isGood },
    { beta1: 0.9, beta2: 0.999, eps: 1e-3 },
  );
};
const updateArgs = (isGood: boolean): Tensor[] => {
  const squares = random(3)
    .toNumbers()
    .map((value) => value * value);
  const variance = Tensor.fromArray("float32", [5, 67], squares);
  const rates = [0.7, 0.05, 1.3, 0.97].map((rate) => scalar(rate, "float32"));
  return [random(1), random(2), variance, random(4), ...rates, flag(isGood)];
};

const CASES: readonly [string, (...args: Tracer[]) => unknown, readonly Tensor[]][] = [
  ["an update", update, updateArgs(true)],
  ["an update that is not good", update, updateArgs(false)],
  ["the sum of squares", (x) => sumOfSquares(x!), [random(5, [3, 4001])]],
  ["the sum of squares of a scalar", (x) => sumOfSquares(x!), [scalar(-3, "float32")]],
  ["a sum of gradients", (a, b, first) => accumulate(a!, b!, first!, 3), [random(6), random(7), flag(false)]],
  ["the first of a sum", (a, b, first) => accumulate(a!, b!, first!, 3), [random(6), random(7), flag(true)]],
];

describe("every lowering", () => {
  for (const [name, fn, args] of CASES)
    it(`computes ${name} as the interpreter does`, async () => {
      const { expected, lowerings } = await runEverywhere(trace(fn, specsOf(args)), args);
      for (const lowering of lowerings) {
        const errors = lowering.outputs.map((output, index) => relativeError(output, expected[index]!));
        expect(Math.max(...errors), `${lowering.name}: ${errors}`).toBeLessThan(1e-6);
      }
    });
});

describe("adamwStep() in place", () => {
  it.each([true, false])("writes the same over its arguments, native kernels: %s", async (kernels) => {
    const args = updateArgs(true);
    // A second reader of the gradient: it stays readable whatever is written.
    const program = trace(
      (...tracers: Tracer[]) => ({ ...update(...tracers), twice: mul(tracers[0]!, 2) }),
      specsOf(args),
    );
    const executable = await compile(program, { kernels });
    const run = async (inPlace: boolean) => {
      const values = args.map((tensor) =>
        Value.fromTensor(new Tensor(tensor.dtype, tensor.shape, tensor.data.slice() as never)),
      );
      const into = new Map(
        inPlace
          ? [
              ["mean", values[1]!],
              ["variance", values[2]!],
              ["parameter", values[3]!],
            ]
          : [],
      );
      const results = Object.entries((await executable.run(values, { into })) as Record<string, Value>);
      const tensors = await Promise.all(
        results.map(async ([path, value]) => [path, (await value.toTensor()).toNumbers()]),
      );
      for (const value of new Set([...values, ...results.map(([, each]) => each)])) value.dispose();
      return Object.fromEntries(tensors);
    };
    const [apart, over] = [await run(false), await run(true)];
    await executable.dispose();
    expect(over).toEqual(apart);
  });
});

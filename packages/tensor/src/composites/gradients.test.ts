import { describe, expect, it } from "vitest";
import type { Composite } from "../composite.ts";
import { evaluate } from "../evaluate.ts";
import { grad } from "../grad.ts";
import { constant, sum } from "../ops.ts";
import { Tensor } from "../tensor.ts";
import { gradientError, randomTensor, relativeError } from "../testing.ts";
import { bindComposite, spec, type Tracer, trace } from "../trace.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { hadamard } from "./hadamard.ts";
import { rmsNorm } from "./rms-norm.ts";
import { swiglu } from "./swiglu.ts";

const LABELS = Tensor.fromArray("int64", [5], [6, 0, 2, 2, 5]);
const norm = (x: Tracer, weight: Tracer) => rmsNorm(x, weight, 1e-5);
const loss = (logits: Tracer) => crossEntropy(logits, constant(LABELS));

interface Case {
  readonly name: string;
  readonly fn: (...args: Tracer[]) => Tracer;
  readonly shapes: readonly (readonly number[])[];
  /** the composites of the gradient's program */
  readonly composites: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "rmsNorm",
    fn: norm as Case["fn"],
    shapes: [[2, 3, 7], [7]],
    composites: ["rmsNorm", "rmsNormGrad"],
  },
  {
    name: "swiglu",
    fn: swiglu as Case["fn"],
    shapes: [
      [3, 5],
      [3, 5],
    ],
    composites: ["swigluGrad"],
  },
  {
    name: "crossEntropy",
    fn: loss as Case["fn"],
    shapes: [[5, 7]],
    composites: ["crossEntropy", "crossEntropyGrad"],
  },
  { name: "hadamard", fn: hadamard as Case["fn"], shapes: [[2, 3, 128]], composites: ["hadamard"] },
];

const randomArguments = (shapes: Case["shapes"]) =>
  shapes.map((shape, index) => randomTensor(shape, 40 + index));
const specsOf = (args: readonly Tensor[]) => args.map(({ dtype, shape }) => spec(dtype, shape));

describe("the gradient of a composite", () => {
  it.each(CASES)("is that of finite differences: $name", ({ fn, shapes }) => {
    expect(gradientError(fn, randomArguments(shapes))).toBeLessThan(1e-7);
  });

  it.each(CASES)("has a gradient of its own, that of finite differences: $name", ({ fn, shapes }) => {
    const gradient = (...args: Tracer[]) => grad((x: Tracer) => sum(fn(x, ...args.slice(1))))(args[0]!);
    expect(gradientError(gradient, randomArguments(shapes))).toBeLessThan(1e-7);
  });

  it.each(CASES)("is one composite: $name", ({ fn, shapes, composites }) => {
    const program = trace(
      (...args: Tracer[]) => grad((x: Tracer) => sum(fn(x, ...args.slice(1))))(args[0]!),
      specsOf(randomArguments(shapes)),
    );
    const names = program.equations.flatMap((equation) =>
      equation.primitive === "composite" ? [equation.params.composite.name] : [],
    );
    expect(names).toEqual(composites);
  });

  it.each(CASES)("is computed in the dtype of the arguments: $name", ({ fn, shapes }) => {
    const wide = randomArguments(shapes);
    const narrow = wide.map(({ shape }, index) => randomTensor(shape, 40 + index, "float32"));
    const [expected, got] = [wide, narrow].map((args) => {
      const program = trace(
        (...tracers: Tracer[]) => grad((x: Tracer) => sum(fn(x, ...tracers.slice(1))))(tracers[0]!),
        specsOf(args),
      );
      return evaluate(program, args) as Tensor;
    });
    expect(got!.dtype).toBe("float32");
    expect(relativeError(got!, expected!)).toBeLessThan(1e-5);
  });
});

describe("crossEntropy()", () => {
  it("keeps log Σ exp of every row, also of large logits", () => {
    const program = trace(loss, [spec("float64", [5, 7])]);
    const [used] = program.equations.filter(({ primitive }) => primitive === "composite");
    const { composite } = used!.params as { composite: Composite };
    const logits = Tensor.fromArray(
      "float64",
      [5, 7],
      randomTensor([5, 7], 2)
        .toNumbers()
        .map((x, at) => x + (at < 7 ? 1000 : 0)),
    );
    const both = trace(
      (x, labels) => bindComposite(composite, [x, labels]),
      [spec("float64", [5, 7]), spec("int64", [5])],
    );
    const [losses, sums] = (evaluate(both, [logits, LABELS]) as Tensor[]).map((x) => x.toNumbers());
    for (let row = 0; row < 5; row++) {
      const numbers = logits.toNumbers().slice(row * 7, row * 7 + 7);
      const largest = Math.max(...numbers);
      const expected = largest + Math.log(numbers.reduce((total, x) => total + Math.exp(x - largest), 0));
      expect(sums![row]).toBeCloseTo(expected, 10);
      expect(losses![row]).toBeCloseTo(expected - numbers[Number(LABELS.data[row])]!, 10);
    }
  });
});

describe("hadamard()", () => {
  const x = randomTensor([3, 128], 9);
  const rotate = (times: number, shape: readonly number[] = [3, 128]): Tensor => {
    const program = trace(
      (value: Tracer) => Array.from({ length: times }).reduce<Tracer>((y) => hadamard(y), value),
      [spec("float64", shape)],
    );
    return evaluate(program, [x]) as Tensor;
  };
  const isOdd = (bits: number): boolean => bits > 0 && isOdd(bits & (bits - 1)) === false;

  it("adds each run of 64 columns with the signs of shared bits", () => {
    const numbers = x.toNumbers();
    const expected = numbers.map((_, at) => {
      const start = at - (at % 64);
      const run = numbers.slice(start, start + 64);
      return run.reduce((total, value, other) => total + (isOdd(other & (at % 64)) ? -value : value), 0) / 8;
    });
    expect(relativeError(rotate(1), Tensor.fromArray("float64", [3, 128], expected))).toBeLessThan(1e-12);
  });

  it("is its own inverse", () => {
    expect(relativeError(rotate(2), x)).toBeLessThan(1e-12);
  });

  it("refuses widths that are no multiple of 64", () => {
    expect(() => rotate(1, [3, 96])).toThrow("x is [3, 96], expected a last axis that is a multiple of 64");
  });
});

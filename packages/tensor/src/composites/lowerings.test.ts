import { describe, expect, it } from "vitest";
import { runEverywhere } from "../fixtures/lowerings.ts";
import { vjp } from "../grad.ts";
import { Tensor } from "../tensor.ts";
import { randomTensor, relativeError } from "../testing.ts";
import { spec, type Tracer, trace } from "../trace.ts";
import { causalAttention } from "./attention.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { hadamard } from "./hadamard.ts";
import { quantizeRows } from "./quantize-rows.ts";
import { rmsNorm } from "./rms-norm.ts";
import { swiglu } from "./swiglu.ts";

/** A function of tensors, its arguments, and how far apart its lowerings may be. */
interface Case {
  readonly name: string;
  readonly fn: (...args: Tracer[]) => unknown;
  readonly args: readonly Tensor[];
  readonly tolerance?: number;
}

const random = (shape: readonly number[], seed: number) => randomTensor(shape, seed, "float32");

/** A function's result and its pullback of given cotangents, both. */
const withPullback =
  (fn: (...args: Tracer[]) => Tracer, count: number) =>
  (g: Tracer, ...args: Tracer[]): unknown => {
    const { result, pullback } = vjp(
      (primals: readonly Tracer[]) => fn(...primals, ...args.slice(count)),
      args.slice(0, count),
    );
    return { result, gradient: pullback(result, g) };
  };

function rotation(length: number, half: number): [Tensor, Tensor] {
  const angles = Array.from(
    { length: length * half },
    (_, i) => Math.floor(i / half) * 100 ** (-(i % half) / half),
  );
  return [
    Tensor.fromArray("float32", [length, half], angles.map(Math.cos)),
    Tensor.fromArray("float32", [length, half], angles.map(Math.sin)),
  ];
}

/** [2, T]: one document, and three. */
const startsOf = (T: number) =>
  Tensor.fromArray(
    "int32",
    [2, T],
    [
      ...new Array<number>(T).fill(0),
      ...Array.from({ length: T }, (_, t) => (t < 3 ? 0 : t < T - 2 ? 3 : T - 2)),
    ],
  );

function attentionCase(heads: number, keyValueHeads: number, headSize: number, T: number): Case {
  const shape = (count: number) => [2, T, count * headSize];
  return {
    name: `causalAttention of ${heads}/${keyValueHeads} heads of ${headSize} over ${T}`,
    fn: withPullback(
      (query, key, value, cos, sin, starts) =>
        causalAttention(
          { query: query!, key: key!, value: value! },
          { headSize, cos: cos!, sin: sin!, starts: starts! },
        ),
      3,
    ),
    args: [
      random(shape(heads), 1),
      random(shape(heads), 2),
      random(shape(keyValueHeads), 3),
      random(shape(keyValueHeads), 4),
      ...rotation(T, headSize / 2),
      startsOf(T),
    ],
    tolerance: 5e-4,
  };
}

const CASES: readonly Case[] = [
  attentionCase(6, 2, 32, 19),
  attentionCase(3, 3, 64, 70),
  attentionCase(2, 1, 128, 33),
  {
    name: "rmsNorm",
    fn: withPullback((x, weight) => rmsNorm(x!, weight!, 1e-5), 2),
    args: [random([3, 5, 70], 1), random([3, 5, 70], 2), random([70], 3)],
  },
  {
    name: "swiglu",
    fn: withPullback((gate, up) => swiglu(gate!, up!), 2),
    args: [random([3, 5, 70], 1), random([3, 5, 70], 2), random([3, 5, 70], 3)],
  },
  {
    name: "swiglu through hadamard",
    fn: withPullback((gate, up) => hadamard(swiglu(gate!, up!)), 2),
    args: [random([3, 5, 128], 1), random([3, 5, 128], 2), random([3, 5, 128], 3)],
  },
  {
    name: "crossEntropy",
    fn: withPullback((logits, labels) => crossEntropy(logits!, labels!), 1),
    args: [random([5], 1), random([5, 203], 2), Tensor.fromArray("int64", [5], [0, 202, 7, 7, 100])],
  },
  {
    name: "rmsNorm and quantizeRows of its result",
    fn: (x, weight) => {
      const normalised = rmsNorm(x, weight, 1e-5);
      return { normalised, scale: quantizeRows(normalised).scale };
    },
    args: [random([4, 70], 1), random([70], 2)],
  },
];

describe("every lowering", () => {
  for (const { name, fn, args, tolerance = 2e-5 } of CASES) {
    it(`computes ${name} as the interpreter does`, async () => {
      const program = trace(
        fn,
        args.map(({ dtype, shape }) => spec(dtype, shape)),
      );
      const { expected, lowerings } = await runEverywhere(program, args);
      expect(lowerings.length).toBeGreaterThan(0);
      for (const lowering of lowerings) {
        const errors = lowering.outputs.map((output, index) => relativeError(output, expected[index]!));
        expect(Math.max(...errors), `${lowering.name}: ${errors}`).toBeLessThan(tolerance);
      }
    });
  }
});

import { describe, expect, it } from "vitest";
import { evaluate } from "../evaluate.ts";
import { constant } from "../ops.ts";
import { Tensor } from "../tensor.ts";
import { gradientError, randomTensor, relativeError } from "../testing.ts";
import { spec, type Tracer, trace } from "../trace.ts";
import { causalAttention } from "./attention.ts";

/** Two rows of six tokens; six query heads over two key/value heads of four. */
const [B, T, H, K, D] = [2, 6, 6, 2, 4];
const SHAPES = [
  [B, T, H * D],
  [B, T, K * D],
  [B, T, K * D],
];
const ARGS = SHAPES.map((shape, index) => randomTensor(shape, 3 + index));
/** Documents of 1, 3 and 2 tokens, and of 4 and 2. */
const PACKED = [
  [0, 1, 1, 1, 4, 4],
  [0, 0, 0, 0, 4, 4],
];

/** Angles of position times frequency, as a rotation that depends on positions' differences alone needs. */
function tables(length: number): { readonly cos: Tensor; readonly sin: Tensor } {
  const angles = Array.from({ length: length * 2 }, (_, i) => Math.floor(i / 2) * (i % 2 === 0 ? 1 : 0.3));
  const table = (f: (angle: number) => number) => Tensor.fromArray("float64", [length, 2], angles.map(f));
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

function attend([query, key, value]: readonly Tracer[], starts?: readonly (readonly number[])[]): Tracer {
  const length = query!.shape[1] as number;
  const { cos, sin } = tables(length);
  return causalAttention(
    { query: query!, key: key!, value: value! },
    {
      headSize: D,
      cos: constant(cos),
      sin: constant(sin),
      ...(starts && { starts: constant(Tensor.fromArray("int32", [starts.length, length], starts.flat())) }),
    },
  );
}

const run = (args: readonly Tensor[], starts?: readonly (readonly number[])[]): Tensor => {
  const specs = args.map(({ dtype, shape }) => spec(dtype, shape));
  return evaluate(
    trace((...tracers: Tracer[]) => attend(tracers, starts), specs),
    args,
  ) as Tensor;
};

/** Tokens start … end − 1 of one row, as a batch of one. */
function cut(x: Tensor, row: number, start: number, end: number): Tensor {
  const [, length, width] = x.shape as [number, number, number];
  const numbers = x.toNumbers().slice((row * length + start) * width, (row * length + end) * width);
  return Tensor.fromArray(x.dtype, [1, end - start, width], numbers);
}

/** Plain loops over heads and tokens, for one document alone. */
function reference([query, key, value]: readonly Tensor[]): number[] {
  const [, length] = query!.shape as [number, number];
  const { cos, sin } = tables(length);
  const rotated = (x: Tensor, t: number, head: number): number[] => {
    const at = (d: number) => x.toNumbers()[t * x.shape[2]! + head * D + d]!;
    const [c, s] = [cos, sin].map((table) => table.toNumbers().slice(t * 2, t * 2 + 2)) as [
      number[],
      number[],
    ];
    return [0, 1, 2, 3].map((d) =>
      d < 2 ? at(d) * c[d]! - at(d + 2) * s[d]! : at(d) * c[d - 2]! + at(d - 2) * s[d - 2]!,
    );
  };
  const result: number[] = [];
  for (let t = 0; t < length; t++) {
    for (let h = 0; h < H; h++) {
      const group = Math.floor(h / (H / K));
      const q = rotated(query!, t, h);
      const powers = Array.from({ length: t + 1 }, (_, s) => {
        const k = rotated(key!, s, group);
        return Math.exp(q.reduce((total, x, d) => total + x * k[d]!, 0) / Math.sqrt(D));
      });
      const total = powers.reduce((a, b) => a + b);
      for (let d = 0; d < D; d++) {
        const valueAt = (s: number) => value!.toNumbers()[s * K * D + group * D + d]!;
        result.push(powers.reduce((sum, power, s) => sum + (power / total) * valueAt(s), 0));
      }
    }
  }
  return result;
}

const DOCUMENTS: readonly [row: number, start: number, end: number][] = [
  [0, 0, 1],
  [0, 1, 4],
  [0, 4, 6],
  [1, 0, 4],
  [1, 4, 6],
];

describe("causalAttention()", () => {
  it.each(DOCUMENTS)("computes a document alone as plain loops do: row %i, %i to %i", (row, start, end) => {
    const document = ARGS.map((x) => cut(x, row, start, end));
    const expected = Tensor.fromArray("float64", [1, end - start, H * D], reference(document));
    expect(relativeError(run(document), expected)).toBeLessThan(1e-12);
  });

  it.each(DOCUMENTS)("gives a packed document what it gets alone: row %i, %i to %i", (row, start, end) => {
    const alone = run(ARGS.map((x) => cut(x, row, start, end)));
    expect(relativeError(cut(run(ARGS, PACKED), row, start, end), alone)).toBeLessThan(1e-12);
  });

  it("takes every row for one document when no starts are given", () => {
    const zeros = [0, 1].map(() => new Array<number>(T).fill(0));
    expect(run(ARGS).toNumbers()).toEqual(run(ARGS, zeros).toNumbers());
    expect(relativeError(run(ARGS), run(ARGS, PACKED))).toBeGreaterThan(0.01);
  });

  it.each([
    ["whole rows", undefined],
    ["packed rows", PACKED],
  ])("has the gradient of finite differences over %s", (_, starts) => {
    expect(gradientError((...tracers) => attend(tracers, starts), ARGS)).toBeLessThan(1e-7);
  });

  it.each([
    ["float32", 2e-5],
    ["float16", 5e-3],
    ["bfloat16", 4e-2],
  ] as const)("works in %s", (dtype, tolerance) => {
    const args = ARGS.map(({ shape }, index) => randomTensor(shape, 3 + index, dtype));
    const result = run(args, PACKED);
    expect(result.dtype).toBe(dtype);
    const wide = args.map((x) => Tensor.fromArray("float64", x.shape, x.toNumbers()));
    const numbers = Tensor.fromArray("float64", result.shape, result.toNumbers());
    expect(relativeError(numbers, run(wide, PACKED))).toBeLessThan(tolerance);
  });

  it("refuses shapes that do not fit", () => {
    const [query, key] = ARGS as [Tensor, Tensor];
    expect(() => run([query, key, query])).toThrow("value is [2, 6, 24], expected [2, 6, 8]");
    expect(() => run([key, query, query])).toThrow("query is 8, expected a multiple of 24");
    expect(() => run(ARGS, PACKED.slice(1))).toThrow("starts is [1, 6], expected [2, 6]");
    const odd = [query, randomTensor([B, T, 6], 1), randomTensor([B, T, 6], 1)];
    expect(() => run(odd)).toThrow(expect.objectContaining({ code: "TENSOR_SHAPE_MISMATCH" }));
  });
});

import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { runCompiled } from "../fixtures/lowerings.ts";
import { add, matmul, weight } from "../ops.ts";
import type { Policy } from "../precision/parts.ts";
import { kernelStatus, useKernelPath } from "../runtime/kernels.ts";
import { dim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { randomTensor, relativeError } from "../testing.ts";
import { spec, type Tracer, trace } from "../trace.ts";
import { weightsFrom } from "../weights.ts";
import { rmsNorm } from "./rms-norm.ts";
import { swiglu } from "./swiglu.ts";

const [WIDTH, INNER, N] = [96, 160, dim("N")];
const SHAPES = { gate: [INNER, WIDTH], up: [INNER, WIDTH], down: [WIDTH, INNER] };
const weights = new Map(
  Object.entries(SHAPES).map(([name, shape], seed) => [name, randomTensor(shape, seed, "float32")] as const),
);
const product = (x: Tracer, name: keyof typeof SHAPES) =>
  matmul(x, weight(name, { dtype: "float32", shape: SHAPES[name] }), { transposeB: true });

/** A feed-forward block with its norm and residual. */
const program = trace(
  (x, gain) => {
    const rows = rmsNorm(x, gain, 1e-5);
    return add(x, product(swiglu(product(rows, "gate"), product(rows, "up")), "down"));
  },
  [spec("float32", [N, WIDTH]), spec("float32", [WIDTH])],
);

const rowsOf = (x: Tensor, start: number, end: number) =>
  new Tensor(
    "float32",
    [end - start, WIDTH],
    x.data.slice(start * WIDTH, end * WIDTH) as Float32Array<ArrayBuffer>,
  );

/** A weight that is held exactly where a row has this many levels, from 0. */
const exactWeight = (levels: number): Tensor =>
  Tensor.fromArray(
    "float32",
    [INNER, WIDTH],
    Array.from(
      { length: INNER * WIDTH },
      (_, i) => (i % WIDTH === 0 ? levels - 1 : (i * 7) % levels) / levels,
    ),
  );

describe.each([
  ["int8Blockwise", 128],
  ["int4Blockwise", 16],
] as const)("products in %s", (precision, levels) => {
  it("are many times as near to float32's when it is fine", async () => {
    const fn = trace((x) => product(x, "gate"), [spec("float32", [N, WIDTH])]);
    const args = [randomTensor([9, WIDTH], 3, "float32")];
    const given = new Map([["gate", exactWeight(levels)]]);
    const run = async (chosen?: Policy) =>
      (
        await runCompiled(fn, args, { kernels: true, weights: given, ...(chosen && { precision: chosen }) })
      )[0]!;
    const exact = await run();
    const [coarse, fine] = [await run(precision), await run(`${precision}Fine`)].map((y) =>
      relativeError(y, exact),
    ) as [number, number];
    expect(coarse).toBeGreaterThan(50 * fine);
  });
});

describe.each(["int8Blockwise", "int4Blockwise", "int8BlockwiseFine", "int4BlockwiseFine"] as const)(
  "products in %s",
  (precision) => {
    it("are two operators in a feed-forward block, with its norm, activation and residual", async ({
      skip,
    }) => {
      if ((await kernelStatus()).path === undefined) return skip("no native kernels here");
      const executable = await compile(program, { weights: weightsFrom(weights), precision });
      const linear = precision.startsWith("int8") ? "Int8BlockLinear" : "Int4BlockLinear";
      expect(executable.explain().map(({ operator }) => operator)).toEqual([
        `flacuna.${linear}2`,
        `flacuna.${linear}`,
      ]);
      await executable.dispose();
    });

    it("give a row the same bits whatever other rows there are, on every path", async () => {
      const { path: active, paths } = await kernelStatus();
      const [x, gain] = [randomTensor([30, WIDTH], 5, "float32"), randomTensor([WIDTH], 6, "float32")];
      for (const path of paths) {
        await useKernelPath(path);
        const run = async (rows: Tensor) =>
          (await runCompiled(program, [rows, gain], { kernels: true, precision, weights }))[0]!;
        const all = await run(x);
        for (const [start, end] of [
          [0, 1],
          [1, 14],
          [14, 30],
          [29, 30],
        ] as const)
          expect(await run(rowsOf(x, start, end)), path).toEqual(rowsOf(all, start, end));
      }
      if (active !== undefined) await useKernelPath(active);
    });
  },
);

import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { runCompiled } from "../fixtures/lowerings.ts";
import { add, matmul, weight } from "../ops.ts";
import { kernelStatus, useKernelPath } from "../runtime/kernels.ts";
import { dim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { randomTensor } from "../testing.ts";
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

describe.each(["int8Blockwise", "int4Blockwise"] as const)("products in %s", (precision) => {
  it("are two operators in a feed-forward block, with its norm, activation and residual", async ({
    skip,
  }) => {
    if ((await kernelStatus()).path === undefined) return skip("no native kernels here");
    const executable = await compile(program, { weights: weightsFrom(weights), precision });
    const linear = precision === "int8Blockwise" ? "Int8BlockLinear" : "Int4BlockLinear";
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
});

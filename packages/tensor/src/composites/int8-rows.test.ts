import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { interpret, runCompiled } from "../fixtures/lowerings.ts";
import { gather, matmul, weight } from "../ops.ts";
import { kernelStatus, useKernelPath } from "../runtime/kernels.ts";
import { dim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { randomTensor, relativeError } from "../testing.ts";
import { spec, type Tracer, trace } from "../trace.ts";
import { weightsFrom } from "../weights.ts";

const [OUT, WIDTH] = [83, 70];
const table = randomTensor([OUT, WIDTH], 1, "float32");
const weights = new Map([["table", table]]);
const rows = (ids: Tracer) => gather(weight("table", { dtype: "float32", shape: [OUT, WIDTH] }), ids);

/** Rows of a table, and products with it: embeddings and an output head that are one matrix. */
const program = trace(
  (ids, x) => ({
    logits: matmul(x, weight("table", { dtype: "float32", shape: [OUT, WIDTH] }), { transposeB: true }),
    rows: rows(ids),
  }),
  [spec("int64", [dim("N"), 2]), spec("float32", [dim("M"), WIDTH])],
);
const args = [
  Tensor.fromArray("int64", [3, 2], [0, 82, 15, 16, 41, 41]),
  randomTensor([4, WIDTH], 2, "float32"),
];
const frozen = { precision: "int8Blockwise", weights } as const;

describe("rows of a matrix whose bytes a product reads", () => {
  it("are those of the bytes, the same in every lowering", async () => {
    const expected = (await interpret(program, args, frozen)).at(-1)!;
    const stored = Tensor.fromArray(
      "float32",
      [3, 2, WIDTH],
      [0, 82, 15, 16, 41, 41].flatMap((id) =>
        [...table.data.slice(id * WIDTH, (id + 1) * WIDTH)].map(Number),
      ),
    );
    expect(relativeError(expected, stored)).toBeLessThan(1 / 64);
    const { path: active, paths } = await kernelStatus();
    for (const path of [undefined, ...paths]) {
      if (path !== undefined) await useKernelPath(path);
      const outputs = await runCompiled(program, args, { ...frozen, kernels: path !== undefined });
      expect(relativeError(outputs.at(-1)!, expected), path).toBeLessThan(1e-6);
    }
    if (active !== undefined) await useKernelPath(active);
  });

  it("need no table of their own", async () => {
    const reads: string[] = [];
    const source = weightsFrom(weights);
    const counted = {
      get: (path: string) => {
        reads.push(path);
        return source.get(path);
      },
    };
    await (await compile(program, { weights: counted, precision: "int8Blockwise" })).dispose();
    expect(reads.filter((path) => path.includes("float16"))).toEqual([]);
  });

  it("are in float16 where no product reads bytes", async () => {
    const alone = trace(
      (ids, x) => [
        rows(ids),
        matmul(x, weight("other", { dtype: "float32", shape: [2, 2] }), { transposeB: true }),
      ],
      [spec("int64", [6]), spec("float32", [1, 2])],
    );
    const withOther = new Map([...weights, ["other", randomTensor([2, 2], 3, "float32")]]);
    const ids = Tensor.fromArray("int64", [6], [0, 82, 15, 16, 41, 41]);
    const [found] = await interpret(alone, [ids, randomTensor([1, 2], 4, "float32")], {
      precision: "int8Blockwise",
      weights: withOther,
    });
    expect(found!.data[0]).toBeCloseTo(Number(table.data[0]), 3);
  });

  it("refuses a number that no row has", async ({ skip }) => {
    if ((await kernelStatus()).path === undefined) return skip("no native kernels here");
    const wrong = [Tensor.fromArray("int64", [1, 2], [0, OUT]), args[1]!];
    await expect(runCompiled(program, wrong, { ...frozen, kernels: true })).rejects.toMatchObject({
      code: "TENSOR_RUNTIME",
    });
  });
});

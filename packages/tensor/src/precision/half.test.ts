import { describe, expect, it } from "vitest";
import { compile } from "../compile.ts";
import { evaluate } from "../evaluate.ts";
import { valueAndGrad } from "../grad.ts";
import * as ops from "../ops.ts";
import { checkProgram, type Program } from "../program.ts";
import type { Value } from "../runtime/value.ts";
import { dim } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { randomTensor } from "../testing.ts";
import { spec, type Tracer, trace } from "../trace.ts";
import { weightsFrom } from "../weights.ts";
import { toHalf } from "./half.ts";

const B = dim("B");
const table = () => ops.weight("table", { dtype: "float32", shape: [7, 8] });

/** A frozen embedding and head of one matrix around a trained map, its loss scaled, and the map's gradient. */
const tied = (scale: number): Program =>
  trace(
    (ids, map) =>
      valueAndGrad((trained: Tracer) => {
        const logits = ops.matmul(ops.matmul(ops.gather(table(), ids), trained), table(), {
          transposeB: true,
        });
        return ops.mul(ops.mean(ops.mul(logits, logits)), scale);
      })(map),
    [spec("int64", [B]), spec("float32", [8, 8])],
  );

const weights = new Map([["table", randomTensor([7, 8], 1, "float32")]]);
const args = [Tensor.fromArray("int64", [3], [1, 4, 6]), randomTensor([8, 8], 2, "float32")];
const weightDTypes = ({ equations }: Program) =>
  equations.flatMap(({ primitive, outputs }) => (primitive === "weight" ? [outputs[0]!.dtype] : []));
const isClose = (got: Tensor, expected: Tensor, tolerance: number): void => {
  const [a, b] = [got.toNumbers(), expected.toNumbers()];
  const largest = Math.max(...b.map(Math.abs));
  expect(Math.max(...a.map((value, n) => Math.abs(value - b[n]!))) / largest).toBeLessThan(tolerance);
};

interface Results<Leaf> {
  readonly value: Leaf;
  readonly gradient: Leaf;
}

async function run(program: Program): Promise<Results<Tensor>> {
  const executable = await compile(program, { weights: weightsFrom(weights), threads: 1, kernels: false });
  const { value, gradient } = (await executable.run(args)) as Results<Value>;
  const tensors = { value: await value.toTensor(), gradient: await gradient.toTensor() };
  await executable.dispose();
  return tensors;
}

describe("toHalf()", () => {
  it.each(["float16", "bfloat16"] as const)("holds each weight once, in %s, and gives float32", (dtype) => {
    const program = toHalf(tied(1), dtype);
    checkProgram(program);
    expect(weightDTypes(program)).toEqual([dtype]);
    expect(program.outputs.map(({ path, variable }) => [path, variable.dtype])).toEqual([
      ["value", "float32"],
      ["gradient", "float32"],
    ]);
    const products = program.equations.filter(({ primitive }) => primitive === "matmul");
    expect(products.map(({ inputs }) => inputs[0]!.dtype).toSorted()).toEqual(
      [dtype, dtype, "float32", "float32"].toSorted(),
    );
  });

  it.each([
    ["float16", 2e-3],
    ["bfloat16", 2e-2],
  ] as const)("agrees with float32 to the precision of %s", (dtype, tolerance) => {
    const halves = new Map([["table", Tensor.fromArray(dtype, [7, 8], weights.get("table")!.toNumbers())]]);
    const got = evaluate(toHalf(tied(1), dtype), args, halves) as Results<Tensor>;
    const expected = evaluate(tied(1), args, weights) as Results<Tensor>;
    isClose(got.value, expected.value, tolerance);
    isClose(got.gradient, expected.gradient, tolerance);
  });

  it.each([1, 1e-12, 1e12])(
    "runs in float16, where a gradient %d times as large neither vanishes nor overflows",
    async (scale) => {
      const got = await run(toHalf(tied(scale), "float16"));
      const expected = await run(tied(scale));
      isClose(got.value, expected.value, 2e-3);
      isClose(got.gradient, expected.gradient, 2e-3);
    },
  );

  it("gives a row of zeros zeros", () => {
    const program = toHalf(
      trace((x) => ops.matmul(x, table(), { transposeB: true }), [spec("float32", [B, 8])]),
      "float16",
    );
    const halves = new Map([
      ["table", Tensor.fromArray("float16", [7, 8], weights.get("table")!.toNumbers())],
    ]);
    const result = evaluate(program, [Tensor.zeros("float32", [1, 8])], halves) as Tensor;
    expect(result.toNumbers()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it("widens a weight for other readers, and leaves those of no product and results alone", () => {
    const other = (path: string, shape: readonly number[]) => ops.weight(path, { dtype: "float32", shape });
    const program = toHalf(
      trace(
        (x) => {
          const result = other("result", [8, 8]);
          const sums = ops.sum(table(), { axis: 1 });
          const product = ops.matmul(ops.mul(x, other("gain", [8])), table(), { transposeB: true });
          return { sum: ops.add(product, sums), result, product: ops.matmul(x, result) };
        },
        [spec("float32", [B, 8])],
      ),
      "bfloat16",
    );
    checkProgram(program);
    expect(weightDTypes(program).toSorted()).toEqual(["bfloat16", "float32", "float32"]);
    expect(program.outputs.map(({ variable }) => variable.dtype)).toEqual(["float32", "float32", "float32"]);
  });
});

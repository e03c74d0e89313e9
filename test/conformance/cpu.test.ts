import {
  add,
  argmax,
  cast,
  compile,
  concat,
  dim,
  div,
  dropout,
  equal,
  floor,
  iota,
  less,
  lessEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  matmul,
  mod,
  mul,
  mulDims,
  randomUniform,
  reshape,
  scalar,
  spec,
  Tensor,
  trace,
  Value,
  weight,
  weightsFrom,
} from "@flacuna/tensor";
import { randomTensor } from "@flacuna/tensor/testing";
import { describe, expect, it } from "vitest";
import { expectAgreement, withGradient } from "./agreement.ts";
import { OPERATIONS } from "./cases.ts";

/** The runtime has these operators in float32 only. */
const FLOAT32_ONLY = new Set(["erf", "gelu"]);

describe.each(["float32", "float64"] as const)("the CPU in %s", (dtype) => {
  const cases = OPERATIONS.filter(({ name }) => dtype === "float32" || !FLOAT32_ONLY.has(name));

  it.each(cases)("computes $name and its gradient like the interpreter", async (operation) => {
    const args = operation.shapes.map((shape, index) => randomTensor(shape, 11 + index, dtype));
    await expectAgreement(withGradient(operation, dtype), args, { dtype });
  });
});

describe("the CPU", () => {
  const [B, T] = [dim("B"), dim("T")];

  it("computes integers, comparisons and choices like the interpreter", async () => {
    const program = trace(
      (a, b) => ({
        mod: mod(a, 3),
        floor: floor(cast(a, "float32")),
        both: logicalAnd(less(a, b), logicalNot(equal(b, 2))),
        either: logicalOr(less(a, b), lessEqual(b, 2)),
        argmax: argmax(b, { axis: 1 }),
        modFloat: mod(cast(a, "float32"), 2.5),
        div: div(a, 2),
        iota: concat([iota(3, "int32"), iota(2, "int32")], 0),
      }),
      [spec("int64", [B, 3]), spec("int64", [B, 3])],
    );
    const args = [
      Tensor.fromArray("int64", [2, 3], [-4, 5, 2, 7, -1, 0]),
      Tensor.fromArray("int64", [2, 3], [2, 2, 9, 1, 9, 9]),
    ];
    await expectAgreement(program, args, { dtype: "int64" });
  });

  it("reads symbolic sizes when it runs", async () => {
    const program = trace(
      (x) => {
        const flat = reshape(x, [mulDims(B, T)]);
        return { flat, position: iota(T), scaled: mul(x, 2) };
      },
      [spec("float32", [B, T])],
    );
    for (const shape of [
      [2, 3],
      [5, 1],
    ])
      await expectAgreement(program, [randomTensor(shape, 3, "float32")], { dtype: "float32" });
  });

  it("draws the same random numbers as the interpreter", async () => {
    const program = trace(
      (x, seed) => [randomUniform(seed, 2, x), dropout(x, { rate: 0.3, seed, stream: 1 })],
      [spec("float32", [B, 50]), spec("int64", [])],
    );
    await expectAgreement(program, [randomTensor([40, 50], 1, "float32"), scalar(12345, "int64")], {
      dtype: "float32",
    });
  });

  it("takes weights from outside, in the dtype they are stored in", async () => {
    const program = trace(
      (x) => matmul(x, weight("w", { dtype: "float32", shape: [3, 2] })),
      [spec("float32", [B, 3])],
    );
    const stored = Tensor.fromArray("bfloat16", [3, 2], [1, 2, 3, 4, 5, 6]);
    const executable = await compile(program, { weights: weightsFrom(new Map([["w", stored]])) });
    const result = (await executable.run([Tensor.fromArray("float32", [1, 3], [1, 0, 2])])) as Value;
    expect((await result.toTensor()).toNumbers()).toEqual([11, 14]);
    await executable.dispose();
  });

  it("writes over an argument when nothing reads it later, and refuses otherwise", async () => {
    const program = trace(
      (sum_, x) => ({ total: add(sum_, x), product: matmul(sum_, x) }),
      [spec("float32", [2, 2]), spec("float32", [2, 2])],
    );
    const executable = await compile(program);
    const sum_ = Value.fromTensor(Tensor.zeros("float32", [2, 2]));
    const x = Tensor.fromArray("float32", [2, 2], [1, 2, 3, 4]);
    await expect(executable.run([sum_, x], { into: new Map([["total", sum_]]) })).rejects.toThrow(
      /read later/,
    );
    const accumulate = await compile(
      trace((a, b) => ({ total: add(a, b) }), [spec("float32", [2, 2]), spec("float32", [2, 2])]),
    );
    for (let n = 0; n < 3; n++) await accumulate.run([sum_, x], { into: new Map([["total", sum_]]) });
    expect((await sum_.toTensor()).toNumbers()).toEqual([3, 6, 9, 12]);
    await Promise.all([executable.dispose(), accumulate.dispose()]);
  });

  it("answers wrong arguments with an error and goes on", async () => {
    const executable = await compile(trace((x) => mul(x, 2), [spec("float32", [B, 2])]));
    const good = Tensor.fromArray("float32", [1, 2], [1, 2]);
    await expect(executable.run([Tensor.zeros("float32", [2, 3])])).rejects.toMatchObject({
      code: "TENSOR_SHAPE_MISMATCH",
    });
    await expect(executable.run([Tensor.zeros("int64", [2, 2])])).rejects.toMatchObject({
      code: "TENSOR_DTYPE_MISMATCH",
    });
    const value = Value.fromTensor(good);
    value.dispose();
    await expect(executable.run([value])).rejects.toMatchObject({ code: "TENSOR_VALUE_DISPOSED" });
    const result = (await executable.run([good])) as Value;
    expect((await result.toTensor()).toNumbers()).toEqual([2, 4]);
    await executable.dispose();
  });

  it("reports too large a result as out of memory and goes on", async () => {
    const executable = await compile(
      trace((x, y) => mul(x, y), [spec("float32", [B, 1]), spec("float32", [1, T])]),
    );
    const [tall, wide] = [Tensor.zeros("float32", [1 << 22, 1]), Tensor.zeros("float32", [1, 1 << 22])];
    await expect(executable.run([tall, wide])).rejects.toMatchObject({ code: "TENSOR_OUT_OF_MEMORY" });
    const result = (await executable.run([
      Tensor.zeros("float32", [2, 1]),
      Tensor.zeros("float32", [1, 3]),
    ])) as Value;
    expect(result.shape).toEqual([2, 3]);
    await executable.dispose();
  });

  it("names an unknown device and missing weights", async () => {
    const program = trace(
      (x) => mul(x, weight("scale", { dtype: "float32", shape: [] })),
      [spec("float32", [])],
    );
    await expect(compile(program)).rejects.toMatchObject({ code: "TENSOR_WEIGHT_MISSING" });
    await expect(
      compile(program, { device: "tpu" as "cpu", weights: weightsFrom(new Map([["scale", scalar(1)]])) }),
    ).rejects.toMatchObject({
      code: "TENSOR_DEVICE_UNKNOWN",
    });
  });
});

import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import { softmax } from "./composites/softmax.ts";
import { swiglu } from "./composites/swiglu.ts";
import { add, mod, mul } from "./ops.ts";
import { kernelStatus, useKernelPath } from "./runtime/kernels.ts";
import { Value } from "./runtime/value.ts";
import { dim } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { spec, trace } from "./trace.ts";

const vector = Tensor.fromArray("float32", [2], [1, 2]);
const twice = () =>
  compile(
    trace((x) => ({ y: mul(x, 2) }), [spec("float32", [dim("N")])]),
    { threads: 1 },
  );

describe("Executable.explain()", async () => {
  it("counts the operators of the program, most frequent first", async () => {
    const program = trace((x) => add(softmax(add(x, 1)), add(x, 2)), [spec("float32", [2, 3])]);
    const executable = await compile(program, { threads: 1 });
    expect(executable.explain()).toEqual([
      { operator: "Add", count: 3, computedBy: "runtime" },
      { operator: "Softmax", count: 1, computedBy: "runtime" },
    ]);
    expect(executable.kernelPath).toBeUndefined();
    await executable.dispose();
  });

  const { path } = await kernelStatus();
  it.skipIf(path === undefined)("tells native operators, and the path they take", async () => {
    const program = trace(swiglu, [spec("float32", [2, 3]), spec("float32", [2, 3])]);
    const executable = await compile(program, { threads: 1 });
    expect(executable.explain()).toEqual([{ operator: "flacuna.Swiglu", count: 1, computedBy: "native" }]);
    expect(executable.kernelPath).toBe(path);
    await useKernelPath("portable");
    expect(executable.kernelPath).toBe("portable");
    await useKernelPath(path!);
    await executable.dispose();
  });

  it("names the runtime's operators where native kernels are not wanted", async () => {
    const program = trace(swiglu, [spec("float32", [2, 3]), spec("float32", [2, 3])]);
    const executable = await compile(program, { threads: 1, kernels: false });
    expect(executable.explain().map(({ computedBy }) => computedBy)).not.toContain("native");
    expect(executable.kernelPath).toBeUndefined();
    await executable.dispose();
  });
});

describe("Executable.run()", () => {
  it("takes trees of tensors and values and gives the function's tree back", async () => {
    const program = trace(
      ({ a, list }) => ({ sum: [add(a, list[0]!)] }),
      [{ a: spec("float32", [2]), list: [spec("float32", [2])] }],
    );
    const executable = await compile(program, { threads: 1 });
    const value = Value.fromTensor(vector);
    const { sum } = (await executable.run([{ a: vector, list: [value] }])) as { sum: [Value] };
    expect((await sum[0].toTensor()).toNumbers()).toEqual([2, 4]);
    expect(value.isDisposed).toBe(false);
    await executable.dispose();
  });

  it("computes integers exactly", async () => {
    const program = trace((a, b) => [mul(a, b), mod(a, b)], [spec("int64", [1]), spec("int64", [1])]);
    const executable = await compile(program, { threads: 1 });
    const of = (value: bigint) => Tensor.fromArray("int64", [1], [value]);
    const results = (await executable.run([of(-(2n ** 40n) - 1n), of(2n ** 20n)])) as Value[];
    const data = await Promise.all(results.map(async (each) => (await each.toTensor()).data[0]));
    expect(data).toEqual([-(2n ** 60n) - 2n ** 20n, 2n ** 20n - 1n]);
    await executable.dispose();
  });

  it("computes float64 in double precision", async () => {
    const program = trace((x) => add(x, 1e-12), [spec("float64", [])]);
    const executable = await compile(program, { threads: 1 });
    const result = (await executable.run([Tensor.fromArray("float64", [], [1])])) as Value;
    expect((await result.toTensor()).data[0]).toBe(1 + 1e-12);
    await executable.dispose();
  });

  it("refuses an output that the program does not have", async () => {
    const executable = await twice();
    const into = new Map([["z", Value.fromTensor(vector)]]);
    await expect(executable.run([vector], { into })).rejects.toThrow(/no output "z"/);
    await executable.dispose();
  });

  it("refuses one value for two outputs", async () => {
    const program = trace((x) => ({ y: mul(x, 2), z: mul(x, 3) }), [spec("float32", [2])]);
    const executable = await compile(program, { threads: 1 });
    const value = Value.fromTensor(vector);
    const into = new Map([
      ["y", value],
      ["z", value],
    ]);
    await expect(executable.run([vector], { into })).rejects.toThrow(/the same value/);
    await executable.dispose();
  });

  it("is an error once disposed", async () => {
    const executable = await twice();
    await executable.dispose();
    await executable.dispose();
    await expect(executable.run([vector])).rejects.toMatchObject({ code: "TENSOR_VALUE_DISPOSED" });
  });
});

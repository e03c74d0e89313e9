import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import { add, mul } from "./ops.ts";
import { Value } from "./runtime/value.ts";
import { dim } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { spec, trace } from "./trace.ts";

const N = dim("N");
const vector = (...values: number[]) => Tensor.fromArray("float32", [values.length], values);

/** sum = a + b, product = a · b */
const executable = await compile(
  trace((a, b) => ({ sum: add(a, b), product: mul(a, b) }), [spec("float32", [N]), spec("float32", [N])]),
);
const numbersOf = async (value: Value) => (await value.toTensor()).toNumbers();

describe("ProgramBinding", () => {
  it("keeps what is bound from run to run, whose contents may change", async () => {
    const a = vector(1, 2);
    using first = Value.fromTensor(a);
    using second = Value.fromTensor(vector(10, 20));
    using sum = Value.allocate("float32", [2]);
    using binding = executable.createBinding();
    binding.bindInput("0", first);
    binding.bindInput("1", second);
    binding.bindOutput("sum", sum);
    const results = await binding.run();
    expect([...results.keys()]).toEqual(["product"]);
    expect(await numbersOf(sum)).toEqual([11, 22]);
    expect(await numbersOf(results.get("product")!)).toEqual([10, 40]);
    a.data.set([3, 4]);
    expect(await numbersOf((await binding.run()).get("product")!)).toEqual([30, 80]);
    expect(await numbersOf(sum)).toEqual([13, 24]);
  });

  it("takes values of other shapes in their place", async () => {
    using binding = executable.createBinding();
    for (const values of [[1, 2], [3, 4, 5], [6]]) {
      using value = Value.fromTensor(vector(...values));
      binding.bindInput("0", value);
      binding.bindInput("1", value);
      const results = await binding.run();
      expect(await numbersOf(results.get("sum")!)).toEqual(values.map((each) => 2 * each));
    }
  });

  it("writes over an argument that is bound to an output", async () => {
    const multiply = await compile(trace((a, b) => mul(a, b), [spec("float32", [N]), spec("float32", [N])]));
    using running = Value.fromTensor(vector(1, 1));
    using step = Value.fromTensor(vector(2, 3));
    using binding = multiply.createBinding();
    binding.bindInput("0", running);
    binding.bindInput("1", step);
    binding.bindOutput("", running);
    for (let run = 0; run < 3; run++) await binding.run();
    expect(await numbersOf(running)).toEqual([8, 27]);
    await multiply.dispose();
  });

  it("refuses what does not fit, also after a run that did", async () => {
    using two = Value.fromTensor(vector(1, 2));
    using three = Value.fromTensor(vector(1, 2, 3));
    using binding = executable.createBinding();
    await expect(binding.run()).rejects.toThrow("expected 2 arguments, got 0");
    binding.bindInput("0", two);
    binding.bindInput("1", two);
    await binding.run();
    binding.bindInput("1", three);
    await expect(binding.run()).rejects.toThrow(expect.objectContaining({ code: "TENSOR_SHAPE_MISMATCH" }));
    expect(() => binding.bindInput("2", two)).toThrow('the program has no argument "2"');
    expect(() => binding.bindOutput("difference", null)).toThrow('the program has no output "difference"');
  });

  it("refuses one value for two outputs, and values that were disposed", async () => {
    using value = Value.fromTensor(vector(1, 2));
    using target = Value.allocate("float32", [2]);
    using binding = executable.createBinding();
    binding.bindInput("0", value);
    binding.bindInput("1", value);
    binding.bindOutput("sum", target);
    binding.bindOutput("product", target);
    await expect(binding.run()).rejects.toThrow("two outputs are given the same value to write into");
    binding.bindOutput("product", null);
    await binding.run();
    value.dispose();
    await expect(binding.run()).rejects.toThrow(expect.objectContaining({ code: "TENSOR_VALUE_DISPOSED" }));
  });

  it("refuses to bind while a run is under way", async () => {
    using value = Value.fromTensor(vector(1, 2));
    using other = Value.fromTensor(vector(3, 4));
    using binding = executable.createBinding();
    binding.bindInput("0", value);
    binding.bindInput("1", value);
    const running = binding.run();
    expect(() => binding.bindInput("0", other)).toThrow("is bound while a run is under way");
    expect(await numbersOf((await running).get("sum")!)).toEqual([2, 4]);
    binding.bindInput("0", other);
    expect(await numbersOf((await binding.run()).get("sum")!)).toEqual([4, 6]);
  });

  it("says that it was disposed, and lets the executable go before or after it", async () => {
    const other = await compile(trace((x) => add(x, x), [spec("float32", [N])]));
    using value = Value.fromTensor(vector(1));
    const binding = other.createBinding();
    binding.bindInput("0", value);
    await binding.run();
    await other.dispose();
    binding.dispose();
    await expect(binding.run()).rejects.toThrow(expect.objectContaining({ code: "TENSOR_VALUE_DISPOSED" }));
    expect(() => other.createBinding()).toThrow(expect.objectContaining({ code: "TENSOR_VALUE_DISPOSED" }));
  });
});

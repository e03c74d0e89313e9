import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import type { DType } from "./dtype.ts";
import { add, mul, weight } from "./ops.ts";
import type { Value } from "./runtime/value.ts";
import { Tensor } from "./tensor.ts";
import { spec, trace } from "./trace.ts";
import { resolveWeights, type WeightSource, weightsFrom } from "./weights.ts";

const reference = (path: string, shape: readonly number[] = [2], dtype: DType = "float32") => ({
  path,
  variable: { id: 0, dtype, shape },
});
const source = (tensors: Record<string, Tensor>) => weightsFrom(new Map(Object.entries(tensors)));
const numbers = async (value: Value | undefined) => (await value!.toTensor()).toNumbers();

describe("resolveWeights()", () => {
  it("names every missing weight at once", async () => {
    const program = trace(
      (x) => ["a", "b", "c"].map((path) => mul(x, weight(path, spec("float32", [2])))),
      [spec("float32", [2])],
    );
    const weights = source({ b: Tensor.zeros("float32", [2]) });
    await expect(compile(program, { weights })).rejects.toMatchObject({
      code: "TENSOR_WEIGHT_MISSING",
      message: "weights not found: a, c",
      details: { missing: ["a", "c"] },
    });
  });

  it.each(["bfloat16", "float16", "float64"] as const)("converts stored %s to float32", async (dtype) => {
    const stored = Tensor.fromArray(dtype, [2], [1.5, -0.25]);
    const found = await resolveWeights([reference("w")], source({ w: stored }));
    expect(found.get("w")!.dtype).toBe("float32");
    expect(await numbers(found.get("w"))).toEqual([1.5, -0.25]);
  });

  it("rounds stored float32 to a program's float16", async () => {
    const stored = Tensor.fromArray("float32", [2], [1 + 2 ** -12, 65504]);
    const found = await resolveWeights([reference("w", [2], "float16")], source({ w: stored }));
    expect(await numbers(found.get("w"))).toEqual([1, 65504]);
  });

  it("reads a weight once per source and dtype, and shares its value", async () => {
    let reads = 0;
    const tensor = Tensor.fromArray("float32", [2], [1, 2]);
    const counted: WeightSource = {
      get: () => ({
        dtype: "float32",
        shape: [2],
        read: async () => {
          reads += 1;
          return tensor;
        },
      }),
    };
    const [a, b] = await Promise.all([0, 1].map(() => resolveWeights([reference("w")], counted)));
    expect(a!.get("w")).toBe(b!.get("w"));
    expect(reads).toBe(1);
    await resolveWeights([reference("w", [2], "float16")], counted);
    expect(reads).toBe(2);
  });

  it("tries again after a failed read", async () => {
    let isBroken = true;
    const flaky: WeightSource = {
      get: () => ({
        dtype: "float32",
        shape: [2],
        read: async () => {
          if (isBroken) throw new Error("disk");
          return Tensor.zeros("float32", [2]);
        },
      }),
    };
    await expect(resolveWeights([reference("w")], flaky)).rejects.toThrow("disk");
    isBroken = false;
    expect(await numbers((await resolveWeights([reference("w")], flaky)).get("w"))).toEqual([0, 0]);
  });

  it("refuses another shape, known value or not, and integers for floats", async () => {
    const weights = source({ w: Tensor.zeros("float32", [2]), n: Tensor.zeros("int64", [2]) });
    await resolveWeights([reference("w")], weights);
    await expect(resolveWeights([reference("w", [1, 2])], weights)).rejects.toMatchObject({
      code: "TENSOR_SHAPE_MISMATCH",
      message: 'weight "w": expected [1, 2], got [2]',
    });
    await expect(resolveWeights([reference("n")], weights)).rejects.toMatchObject({
      code: "TENSOR_DTYPE_MISMATCH",
    });
  });

  it("lets executables over one source outlive each other", async () => {
    const weights = source({ w: Tensor.fromArray("float32", [2], [1, 2]) });
    const program = (factor: number) =>
      trace((x) => add(mul(weight("w", spec("float32", [2])), factor), x), [spec("float32", [2])]);
    const [first, second] = await Promise.all(
      [1, 10].map((factor) => compile(program(factor), { weights, threads: 1 })),
    );
    await first!.dispose();
    const result = (await second!.run([Tensor.zeros("float32", [2])])) as Value;
    expect(await numbers(result)).toEqual([10, 20]);
    await second!.dispose();
  });
});

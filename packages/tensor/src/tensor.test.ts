import { describe, expect, it } from "vitest";
import { elementCount, scalar, Tensor } from "./tensor.ts";

const code = (value: string) => expect.objectContaining({ code: value });

describe("new Tensor()", () => {
  it("keeps the data without a copy", () => {
    const data = Float32Array.of(1, 2);
    expect(new Tensor("float32", [2], data).data).toBe(data);
  });

  it("does not follow later changes of the shape it was given", () => {
    const shape = [2];
    const tensor = new Tensor("float32", shape, new Float32Array(2));
    shape[0] = 3;
    expect(tensor.shape).toEqual([2]);
  });

  it("refuses data of another length", () => {
    expect(() => new Tensor("float32", [2, 2], new Float32Array(3))).toThrow(code("TENSOR_SHAPE_MISMATCH"));
  });

  it("refuses an array of another type", () => {
    const data = new Float64Array(1) as unknown as Float32Array;
    expect(() => new Tensor("float32", [1], data)).toThrow(code("TENSOR_DTYPE_MISMATCH"));
  });

  it("refuses an unknown dtype", () => {
    const dtype = "float8" as "float32";
    expect(() => new Tensor(dtype, [1], new Float32Array(1))).toThrow(code("TENSOR_INVALID_ARGUMENT"));
  });
});

describe("Tensor.fromArray()", () => {
  it.each(["float32", "float64", "float16", "bfloat16", "int8", "int32", "int64"] as const)(
    "keeps small integers in %s",
    (dtype) => {
      expect(Tensor.fromArray(dtype, [2, 2], [1, -2, 3, 0]).toNumbers()).toEqual([1, -2, 3, 0]);
    },
  );

  it("takes bigints for int64, beyond the safe integers", () => {
    expect(Tensor.fromArray("int64", [1], [2n ** 62n + 1n]).data[0]).toBe(2n ** 62n + 1n);
  });

  it("makes bool from truth", () => {
    expect(Tensor.fromArray("bool", [4], [true, 0, 7, false]).toNumbers()).toEqual([1, 0, 1, 0]);
  });

  it.each([
    ["int8", 128],
    ["uint8", -1],
    ["int32", 1.5],
    ["int64", 2n ** 63n],
    ["int64", Number.NaN],
  ] as const)("refuses %s %d", (dtype, value) => {
    expect(() => Tensor.fromArray(dtype, [1], [value])).toThrow(code("TENSOR_INVALID_ARGUMENT"));
  });
});

describe("Tensor.zeros()", () => {
  it("is zero, empty shapes included", () => {
    expect(Tensor.zeros("int64", [2]).data).toEqual(BigInt64Array.of(0n, 0n));
    expect(Tensor.zeros("float32", [2, 0]).size).toBe(0);
  });
});

describe("scalar()", () => {
  it("is float32 of shape [] unless told otherwise", () => {
    expect([scalar(0.5).dtype, scalar(0.5).shape, scalar(3, "int64").toNumbers()]).toEqual([
      "float32",
      [],
      [3],
    ]);
  });
});

describe("elementCount()", () => {
  it("multiplies the axes", () => {
    expect([[], [2, 3], [4, 0]].map(elementCount)).toEqual([1, 6, 0]);
  });

  it.each([[[-1]], [[1.5]], [[2 ** 40, 2 ** 40]]])("refuses %j", (shape) => {
    expect(() => elementCount(shape)).toThrow(code("TENSOR_INVALID_ARGUMENT"));
  });
});

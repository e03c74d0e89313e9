import { describe, expect, it } from "vitest";
import { allocateArray, DTYPES, type DType, dtypeFromOnnx, isDType, isFloating, isInteger } from "./dtype.ts";

const names = Object.keys(DTYPES) as DType[];

describe("DTYPES", () => {
  it.each(names)("gives %s an array of its byte width", (dtype) => {
    expect(allocateArray(dtype, 3).byteLength).toBe(3 * DTYPES[dtype].byteWidth);
  });

  it("finds every dtype by its ONNX number", () => {
    expect(names.map((dtype) => dtypeFromOnnx(DTYPES[dtype].onnxType))).toEqual(names);
  });

  it("has no dtype for 4-bit integers and strings", () => {
    expect([8, 21, 22].map(dtypeFromOnnx)).toEqual([undefined, undefined, undefined]);
  });
});

describe("isFloating() and isInteger()", () => {
  it("sort the dtypes, bool being neither", () => {
    expect(names.filter(isFloating)).toEqual(["float32", "float64", "float16", "bfloat16"]);
    expect(names.filter(isInteger)).toEqual(["int8", "uint8", "int16", "int32", "int64"]);
  });
});

describe("isDType()", () => {
  it("refuses other strings, inherited names and other types", () => {
    expect(["float32", "float8", "toString", 1].map(isDType)).toEqual([true, false, false, false]);
  });
});

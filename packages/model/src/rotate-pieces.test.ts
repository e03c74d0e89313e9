import { concat, matmul, mul, reshape, slice, Tensor, weight, weightsFrom } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { inPieces, type SliceFunction } from "./rotate-pieces.ts";

const SWAP = Tensor.fromArray("float32", [3, 3], [0, 0, 1, 1, 0, 0, 0, 1, 0]);
const weights = weightsFrom(new Map([["swap", SWAP]]));
const swap = () => weight("swap", { dtype: "float32", shape: [3, 3] });
const VECTOR = Tensor.fromArray("float32", [3], [1, 10, 100]);

/** Rows of three, their places changed and scaled. */
const ROWS: SliceFunction = {
  outer: 1,
  inner: 3,
  apply: (x, vector) => mul(matmul(x, swap()), vector),
};

/** Columns of three, scaled, each changed for the one beside it. */
const PAIRS: SliceFunction = {
  outer: 3,
  inner: 2,
  apply: (x, vector) => {
    const [left, right] = [0, 1].map((at) => slice(x, { axis: 2, start: at, end: at + 1 }));
    return mul(concat([right!, left!], 2), reshape(vector, [3, 1, 1]));
  },
};

const counting = (dtype: "float32" | "bfloat16", shape: readonly [number, number]): Tensor =>
  Tensor.fromArray(
    dtype,
    shape,
    Array.from({ length: shape[0] * shape[1] }, (_, i) => i + 1),
  );

describe("inPieces()", () => {
  it.each([1, 6, 9, 100])("computes rows in pieces of %i elements", async (pieceElements) => {
    const run = inPieces(ROWS, { weights, pieceElements });
    const result = await run(counting("float32", [4, 3]), VECTOR);
    expect([...result]).toEqual([2, 30, 100, 5, 60, 400, 8, 90, 700, 11, 120, 1000]);
  });

  it.each([1, 12, 100])("computes columns in pieces of %i elements", async (pieceElements) => {
    const run = inPieces(PAIRS, { weights, pieceElements });
    const result = await run(counting("float32", [3, 6]), VECTOR);
    expect([...result]).toEqual(
      [
        [2, 1, 4, 3, 6, 5],
        [80, 70, 100, 90, 120, 110],
        [1400, 1300, 1600, 1500, 1800, 1700],
      ].flat(),
    );
  });

  it("takes matrices of different dtypes and sizes, and leaves them as they are", async () => {
    const run = inPieces(PAIRS, { weights, pieceElements: 12 });
    const [small, large] = [counting("bfloat16", [3, 2]), counting("float32", [3, 10])];
    const results = await Promise.all([run(small, VECTOR), run(large, VECTOR)]);
    expect([...results[0]!]).toEqual([2, 1, 40, 30, 600, 500]);
    expect([...results[1]!.subarray(0, 10)]).toEqual([2, 1, 4, 3, 6, 5, 8, 7, 10, 9]);
    expect(small).toEqual(counting("bfloat16", [3, 2]));
    expect(large).toEqual(counting("float32", [3, 10]));
  });
});

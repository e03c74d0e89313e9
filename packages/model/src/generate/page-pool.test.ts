import { describe, expect, it } from "vitest";
import { TOY } from "../fixtures/toy-model.ts";
import { PagePool, pagesFor } from "./page-pool.ts";

const SHAPE = { dtype: "float32", pageSize: 16 } as const;

describe("pagesFor()", () => {
  it("rounds tokens up to whole pages", () => {
    expect(pagesFor(TOY, { ...SHAPE, tokens: 33 })).toBe(3);
  });

  it("gives a small model 65,536 tokens", () => {
    expect(pagesFor(TOY, { ...SHAPE, tokens: undefined })).toBe(65_536 / 16);
  });

  it("gives a model whose tokens are huge no more than fits", () => {
    const huge = { ...TOY, numHiddenLayers: 2 ** 30 };
    expect(pagesFor(huge, { ...SHAPE, tokens: undefined })).toBe(1);
  });

  it.each([0, -1, 1.5])("refuses %d tokens", (tokens) => {
    expect(() => pagesFor(TOY, { ...SHAPE, tokens })).toThrow(/cacheTokens/);
  });
});

describe("PagePool", () => {
  it("holds keys by dimension and values by position, for every layer", () => {
    using pool = new PagePool(TOY, { ...SHAPE, pageCount: 3, device: "cpu" });
    expect(pool.layers).toHaveLength(TOY.numHiddenLayers);
    expect(pool.layers[1]!.keys.shape).toEqual([3, 2, 16, 16]);
  });

  it("holds integers in pairs, with a scale for each key and value", () => {
    using pool = new PagePool(TOY, { ...SHAPE, dtype: "int16", pageCount: 3, device: "cpu" });
    const { keys, values, scales } = pool.layers[0]!;
    expect([keys.dtype, values.dtype, scales?.dtype]).toEqual(["int16", "int16", "float32"]);
    expect(keys.shape).toEqual([3, 2, 8, 16, 2]);
    expect(values.shape).toEqual([3, 2, 8, 16, 2]);
    expect(scales?.shape).toEqual([3, 2, 2, 16]);
  });
});

import { describe, expect, it } from "vitest";
import { addDims, type Dim, dim, mulDims } from "./shape.ts";
import { bindSizes } from "./sizes.ts";

const [B, T] = [dim("B"), dim("T")];
const input = (path: string, shape: readonly Dim[]) => ({
  path,
  variable: { id: 0, dtype: "float32" as const, shape },
});
const argument = (...shape: number[]) => ({ dtype: "float32" as const, shape });

describe("bindSizes()", () => {
  it("reads every name where it stands alone, and checks the rest", () => {
    const inputs = [input("a", [mulDims(B, T)]), input("b", [B, addDims(T, 1)]), input("c", [T])];
    const sizes = bindSizes(inputs, [argument(12), argument(3, 5), argument(4)]);
    expect([...sizes]).toEqual([
      ["B", 3],
      ["T", 4],
    ]);
    expect(() => bindSizes(inputs, [argument(13), argument(3, 5), argument(4)])).toThrow(
      /argument a: expected \[B\*T\] with B=3, T=4, got \[13\]/,
    );
  });

  it("accepts sizes of zero", () => {
    expect([...bindSizes([input("a", [B, 2])], [argument(0, 2)])]).toEqual([["B", 0]]);
  });

  it("refuses another rank, count or dtype", () => {
    expect(() => bindSizes([input("a", [B])], [argument(3, 1)])).toThrow(
      /expected \[B\] with B=3, got \[3, 1\]/,
    );
    expect(() => bindSizes([input("a", [B])], [])).toThrow(/expected 1 arguments, got 0/);
    expect(() => bindSizes([input("a", [B])], [{ dtype: "int64", shape: [3] }])).toThrow(
      /argument a: expected float32, got int64/,
    );
  });

  it("refuses a size whose name no argument tells", () => {
    expect(() => bindSizes([input("a", [addDims(B, 1)])], [argument(3)])).toThrow(
      /expected \[B\+1\], got \[3\]/,
    );
  });
});

import { describe, expect, it } from "vitest";
import { matmul, weight } from "../ops.ts";
import { spec, trace } from "../trace.ts";
import type { StoredWeight } from "../weights.ts";
import { besideStoredBlocks } from "./stored-blocks.ts";

const matrix = (path: string) => weight(path, { dtype: "float32", shape: [32, 32] });
const program = trace(
  (x) => matmul(matmul(x, matrix("layer"), { transposeB: true }), matrix("head"), { transposeB: true }),
  [spec("float32", [1, 32])],
);

/** A source whose matrices of these names are stored in blocks of 4 bits. */
function stored(...inBlocks: string[]) {
  const unread = () => Promise.reject(new Error("read"));
  const plain: StoredWeight = { dtype: "float32", shape: [32, 32], read: unread };
  const blocks = { format: "q4_1", read: unread } as const;
  return { get: (path: string) => (inBlocks.includes(path) ? { ...plain, blocks } : plain) };
}

describe("besideStoredBlocks()", () => {
  it.each([
    ["int4", "bfloat16"],
    ["int4Blockwise", "int8Blockwise"],
    ["int4BlockwiseFine", "int8BlockwiseFine"],
  ] as const)("beside stored blocks of 4 bits in %s computes in %s", (given, beside) => {
    const choice = besideStoredBlocks(program, given, stored("layer"));
    expect(choice).toBeTypeOf("function");
    const precisionOf = choice as (path: string, use: "linear") => string;
    expect(["layer", "head"].map((path) => precisionOf(path, "linear"))).toEqual([given, beside]);
  });

  it("keeps every other choice", () => {
    const each = () => "int4" as const;
    expect(besideStoredBlocks(program, "int4", stored())).toBe("int4");
    expect(besideStoredBlocks(program, "int4Blockwise", stored())).toBe("int4Blockwise");
    expect(besideStoredBlocks(program, "int8", stored("layer"))).toBe("int8");
    expect(besideStoredBlocks(program, each, stored("layer"))).toBe(each);
  });
});

import { describe, expect, it } from "vitest";
import { evaluate } from "../evaluate.ts";
import { Tensor } from "../tensor.ts";
import { spec, trace } from "../trace.ts";
import { clipByNorm, globalNorm } from "./clip.ts";

const specs = { a: spec("float32", [2]), b: [spec("float32", [1])] };
const gradients = {
  a: Tensor.fromArray("float32", [2], [2, -3]),
  b: [Tensor.fromArray("float32", [1], [6])],
};

function clipped(maxNorm: number): number[] {
  const program = trace(
    (tree) => {
      const norm = globalNorm(tree);
      return { norm, tree: clipByNorm(tree, norm, maxNorm) };
    },
    [specs],
  );
  const { norm, tree } = evaluate(program, [gradients]) as { norm: Tensor; tree: typeof gradients };
  return [norm, tree.a, tree.b[0]!].flatMap((tensor) => tensor.toNumbers());
}

describe("clipByNorm()", () => {
  it("scales all leaves together to the largest norm allowed", () => {
    const [norm, ...values] = clipped(3.5); // √(4 + 9 + 36) = 7
    expect(norm).toBe(7);
    expect(Math.hypot(...values)).toBeCloseTo(3.5, 5);
    expect(values[1]! / values[0]!).toBeCloseTo(-1.5, 6);
  });

  it("keeps gradients that are short enough, bit for bit", () => {
    expect(clipped(7.1)).toEqual([7, 2, -3, 6]);
  });
});

import { grad, mul, sum, type Tracer } from "@flacuna/tensor";
import { gradientError, randomTensor } from "@flacuna/tensor/testing";
import { describe, expect, it } from "vitest";
import { OPERATIONS } from "./cases.ts";

describe("gradient", () => {
  it.each(OPERATIONS)("of $name equals finite differences", ({ fn, shapes }) => {
    const args = shapes.map((shape, index) => randomTensor(shape, 11 + index));
    expect(gradientError(fn, args)).toBeLessThan(1e-7);
  });

  it("of a gradient equals finite differences", () => {
    const cube = (x: Tracer) => grad((y: Tracer) => sum(mul(mul(y, y), y)))(x);
    expect(gradientError(cube, [randomTensor([3], 5)])).toBeLessThan(1e-7);
  });
});

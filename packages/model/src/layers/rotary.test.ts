import { describe, expect, it } from "vitest";
import { rotaryFrequencies, rotaryTable } from "./rotary.ts";

describe("rotaryFrequencies()", () => {
  it("falls from 1 by equal ratios to θ^(−(D−2)/D)", () => {
    const frequencies = rotaryFrequencies({ headDim: 8, theta: 10_000 });
    expect([...frequencies].map((value) => Number(value.toPrecision(6)))).toEqual([1, 0.1, 0.01, 0.001]);
  });

  it("keeps short waves, slows long ones by the factor, and blends between", () => {
    const scaling = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192 };
    const plain = rotaryFrequencies({ headDim: 128, theta: 500_000 });
    const ratios = rotaryFrequencies({ headDim: 128, theta: 500_000, scaling }).map(
      (value, j) => plain[j]! / value,
    );
    expect(ratios[0]).toBe(1);
    expect(ratios.at(-1)).toBeCloseTo(8, 5);
    expect([...ratios]).toEqual([...ratios].sort((a, b) => a - b));
    // The wave that turns 2.5 times in the original context is half kept, half slowed.
    const turns = [...plain].map((value) => (value * 8192) / (2 * Math.PI));
    const j = turns.findIndex((value) => value < 4 && value > 1);
    const blend = (turns[j]! - 1) / 3;
    expect(1 / ratios[j]!).toBeCloseTo(blend + (1 - blend) / 8, 5);
  });
});

describe("rotaryTable()", () => {
  it("is the cosine and sine of position times frequency", () => {
    const { cos, sin } = rotaryTable(100, { headDim: 4, theta: 10_000 });
    expect(cos.shape).toEqual([100, 2]);
    expect(cos.toNumbers().slice(0, 2)).toEqual([1, 1]);
    expect(cos.toNumbers()[99 * 2]).toBeCloseTo(Math.cos(99), 5);
    expect(sin.toNumbers()[99 * 2 + 1]).toBeCloseTo(Math.sin(0.99), 5);
  });
});

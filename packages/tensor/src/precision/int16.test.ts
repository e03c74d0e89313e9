import { describe, expect, it } from "vitest";
import { TensorError } from "../errors.ts";
import { randomTensor } from "../testing.ts";
import { quantizeInt16 } from "./int16.ts";

const SIZES = [
  [1, 1],
  [16, 2],
  [33, 70],
  [5, 600],
] as const;

const place = (o: number, i: number, inputs: number): number => {
  const paddedInputs = Math.ceil(inputs / 32) * 32;
  return ((Math.floor(o / 16) * (paddedInputs / 2) + Math.floor(i / 2)) * 16 + (o % 16)) * 2 + (i % 2);
};

const random = (outputs: number, inputs: number): Float32Array =>
  randomTensor([outputs, inputs], 1, "float32").data as Float32Array;

/** The length of the longest 256 neighbours of a row, from multiples of 32 on. */
function longest(packed: Int16Array, o: number, inputs: number): number {
  const lengths = Array.from({ length: Math.ceil(inputs / 32) }, (_, block) =>
    Math.hypot(
      ...Array.from(
        { length: Math.min(256, inputs - 32 * block) },
        (_, i) => packed[place(o, 32 * block + i, inputs)]!,
      ),
    ),
  );
  return Math.max(...lengths);
}

describe("quantizeInt16()", () => {
  it.each(SIZES)("keeps %i x %i weights to half a step", (outputs, inputs) => {
    const weight = random(outputs, inputs);
    const { packed, scales } = quantizeInt16(weight, outputs, inputs);
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++) {
        const kept = packed[place(o, i, inputs)]! * scales[o]!;
        expect(Math.abs(kept - weight[o * inputs + i]!)).toBeLessThanOrEqual(0.50001 * scales[o]!);
      }
  });

  it("takes steps as small as keep 256 neighbours within a length of 46,000", () => {
    const weight = random(3, 700);
    for (let i = 300; i < 556; i++) weight[i]! *= 4;
    const { packed } = quantizeInt16(weight, 3, 700);
    for (let o = 0; o < 3; o++) {
      expect(longest(packed, o, 700)).toBeLessThan(46_008);
      expect(longest(packed, o, 700)).toBeGreaterThan(45_900);
    }
  });

  it("takes 32,767 steps to a weight that stands out", () => {
    const weight = random(1, 64);
    weight[7] = -1000;
    expect(quantizeInt16(weight, 1, 64).packed[place(0, 7, 64)]).toBe(-32_767);
  });

  it("pads outputs and inputs to multiples of 32 with zeros", () => {
    const { packed, scales } = quantizeInt16(new Float32Array(33 * 70).fill(1), 33, 70);
    expect([packed.length, scales.length]).toEqual([64 * 96, 64]);
    expect(packed.filter((value) => value !== 0).length).toBe(33 * 70);
    expect(scales.filter((scale) => scale !== 0).length).toBe(33);
  });

  it("gives a row too small for a scale zeros", () => {
    const { packed, scales } = quantizeInt16(Float32Array.of(1e-42, 0, 1, 2), 2, 2);
    expect([scales[0], packed[place(0, 0, 2)]]).toEqual([0, 0]);
    expect(packed[place(1, 1, 2)]).toBe(32_767);
  });

  it("rejects lengths that do not fit the sizes, and weights that are not finite", () => {
    expect(() => quantizeInt16(new Float32Array(7), 2, 4)).toThrow(TensorError);
    expect(() => quantizeInt16(Float32Array.of(1, Number.NaN), 1, 2)).toThrow(/weight \[0, 1\] is NaN/);
    expect(() => quantizeInt16(Float32Array.of(1, 2, -Infinity, 3), 2, 2)).toThrow(/weight \[1, 0\]/);
  });
});

import { describe, expect, it } from "vitest";
import { TensorError } from "../errors.ts";
import { float32ToBfloat16 } from "../float16.ts";
import { packBfloat16, unpackBfloat16 } from "./bfloat16.ts";

const SIZES = [
  [1, 1],
  [16, 2],
  [32, 32],
  [33, 70],
  [100, 45],
] as const;

const weights = (outputs: number, inputs: number): Float32Array =>
  Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i * i + 0.3) * (1 + (i % 7)));

describe("packBfloat16()", () => {
  it.each(SIZES)("keeps %i x %i weights, rounded to bfloat16", (outputs, inputs) => {
    const weight = weights(outputs, inputs);
    const packed = packBfloat16(weight, outputs, inputs);
    expect(unpackBfloat16(packed, outputs, inputs)).toEqual(float32ToBfloat16(weight));
  });

  it("keeps bit patterns as they are", () => {
    const bits = Uint16Array.from({ length: 3 * 5 }, (_, i) => 0x7f80 + i);
    expect(unpackBfloat16(packBfloat16(bits, 3, 5), 3, 5)).toEqual(bits);
  });

  it("places input i of output o at [o / 16][i / 2][o % 16][i % 2] and pads both with zeros", () => {
    const [outputs, inputs, paddedOutputs, paddedInputs] = [33, 70, 64, 96];
    const bits = Uint16Array.from({ length: outputs * inputs }, (_, i) => i + 1);
    const packed = packBfloat16(bits, outputs, inputs);
    expect(packed.length).toBe(paddedOutputs * paddedInputs);
    for (let o = 0; o < paddedOutputs; o++) {
      for (let i = 0; i < paddedInputs; i++) {
        const pair = Math.floor(o / 16) * (paddedInputs / 2) + Math.floor(i / 2);
        const expected = o < outputs && i < inputs ? bits[o * inputs + i] : 0;
        expect(packed[(pair * 16 + (o % 16)) * 2 + (i % 2)]).toBe(expected);
      }
    }
  });

  it("rejects lengths that do not fit the sizes", () => {
    expect(() => packBfloat16(new Float32Array(7), 2, 4)).toThrow(TensorError);
    expect(() => unpackBfloat16(new Uint16Array(8), 2, 4)).toThrow(/expected 1024 elements for 2 x 4/);
  });
});

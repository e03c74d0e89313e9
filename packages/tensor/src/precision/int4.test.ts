import { describe, expect, it } from "vitest";
import { TensorError } from "../errors.ts";
import { float16ToFloat32, float32ToFloat16 } from "../float16.ts";
import { type Int4BlockFormat, packInt4, quantizeInt4, unpackInt4 } from "./int4.ts";

const SIZES = [
  [1, 32],
  [16, 64],
  [33, 96],
] as const;

const weights = (outputs: number, inputs: number): Float32Array =>
  Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i * i + 0.3) * (1 + (i % 7)));

/** Blocks of arbitrary nibbles with scales, and minimums, of either sign and many sizes. */
function ggufBlocks(format: Int4BlockFormat, outputs: number, inputs: number): Uint8Array {
  const header = format === "q4_0" ? 2 : 4;
  const bytes = new Uint8Array(((outputs * inputs) / 32) * (header + 16));
  for (let block = 0, at = 0; at < bytes.length; block++, at += header + 16) {
    const halves = float32ToFloat16(
      Float32Array.of(Math.cos(block) * 2 ** ((block % 20) - 16), Math.sin(block) * 2 ** -(block % 9)),
    );
    bytes.set(new Uint8Array(halves.buffer, 0, header), at);
    for (let b = 0; b < 16; b++) bytes[at + header + b] = (block * 31 + b * 57 + ((b * b) >> 1)) & 255;
  }
  return bytes;
}

/** The weights of such blocks, straight from the formats' definition. */
function ggufWeights(bytes: Uint8Array, format: Int4BlockFormat): Float32Array {
  const header = format === "q4_0" ? 2 : 4;
  const values: number[] = [];
  for (let at = 0; at < bytes.length; at += header + 16) {
    const [d, m] = float16ToFloat32(
      Uint16Array.of(bytes[at]! + 256 * bytes[at + 1]!, bytes[at + 2]! + 256 * bytes[at + 3]!),
    ) as unknown as [number, number];
    for (let i = 0; i < 32; i++) {
      const byte = bytes[at + header + (i % 16)]!;
      const nibble = i < 16 ? byte % 16 : Math.floor(byte / 16);
      values.push(format === "q4_0" ? d * (nibble - 8) : d * nibble + m);
    }
  }
  return Float32Array.from(values);
}

describe("packInt4()", () => {
  it.each(SIZES)("keeps the value of every weight of %i x %i q4_0 blocks exactly", (outputs, inputs) => {
    const blocks = ggufBlocks("q4_0", outputs, inputs);
    const values = unpackInt4(packInt4(blocks, "q4_0", outputs, inputs), outputs, inputs);
    expect(values.map((value) => value + 0)).toEqual(ggufWeights(blocks, "q4_0").map((value) => value + 0));
  });

  it.each(SIZES)("keeps the value of every weight of %i x %i q4_1 blocks exactly", (outputs, inputs) => {
    const blocks = ggufBlocks("q4_1", outputs, inputs);
    const packed = packInt4(blocks, "q4_1", outputs, inputs);
    expect(unpackInt4(packed, outputs, inputs)).toEqual(ggufWeights(blocks, "q4_1"));
  });

  it("places nibbles, scales and minimums as the kernels read them, and pads outputs with zeros", () => {
    const [outputs, inputs] = [33, 96];
    const blocks = ggufBlocks("q4_1", outputs, inputs);
    const { packed, scales, minimums } = packInt4(blocks, "q4_1", outputs, inputs);
    expect([packed.length, scales.length, minimums.length]).toEqual([64 * 48, 64 * 3, 64 * 3]);
    for (let o = 0; o < 64; o++) {
      for (let i = 0; i < inputs; i++) {
        const source = (o * 3 + Math.floor(i / 32)) * 20;
        const place = (Math.floor(o / 16) * 3 + Math.floor(i / 32)) * 16 + (o % 16);
        const half = (at: number) => (o < outputs ? blocks[at]! + 256 * blocks[at + 1]! : 0);
        expect([scales[place], minimums[place]]).toEqual([half(source), half(source + 2)]);
        const byte = packed[((Math.floor(o / 16) * 12 + Math.floor(i / 8)) * 16 + (o % 16)) * 4 + (i % 4)]!;
        const original = o < outputs ? blocks[source + 4 + (i % 16)]! : 0;
        expect(i % 8 < 4 ? byte & 15 : byte >> 4).toBe(i % 32 < 16 ? original & 15 : original >> 4);
      }
    }
  });

  it("rejects odd widths, wrong lengths and scales whose minimum float16 cannot hold", () => {
    expect(() => packInt4(new Uint8Array(18), "q4_0", 1, 33)).toThrow(/multiple of 32, got 33/);
    expect(() => packInt4(new Uint8Array(18), "q4_1", 1, 32)).toThrow(TensorError);
    const block = new Uint8Array(18);
    block.set([0xff, 0x6f]); // 8188, whose minimum is the largest float16
    expect(Array.from(unpackInt4(packInt4(block, "q4_0", 1, 32), 1, 32))).toContain(-65504);
    block.set([0x00, 0x70]); // 8192
    expect(() => packInt4(block, "q4_0", 1, 32)).toThrow(/scale 8192/);
  });
});

describe("quantizeInt4()", () => {
  it.each(SIZES)("keeps each of %i x %i weights to half a step of its block", (outputs, inputs) => {
    const weight = weights(outputs, inputs);
    const values = unpackInt4(quantizeInt4(weight, outputs, inputs), outputs, inputs);
    for (let start = 0; start < weight.length; start += 32) {
      const block = weight.subarray(start, start + 32);
      const [smallest, largest] = [Math.min(...block), Math.max(...block)];
      // Half a step, and what float16 takes from the minimum and from fifteen steps.
      const bound =
        (largest - smallest) / 30 + 2 ** -11 * (Math.abs(smallest) + (largest - smallest)) + 2 ** -25;
      block.forEach((value, i) => {
        expect(Math.abs(values[start + i]! - value)).toBeLessThanOrEqual(bound);
      });
    }
  });

  it("reproduces weights that already lie on sixteen even steps", () => {
    const weight = Float32Array.from({ length: 32 }, (_, i) => -0.5 + ((i * 7) % 16) * 0.0625);
    expect(unpackInt4(quantizeInt4(weight, 1, 32), 1, 32)).toEqual(weight);
  });

  it("gives a constant block no scale", () => {
    const packed = quantizeInt4(new Float32Array(32).fill(0.25), 1, 32);
    expect(unpackInt4(packed, 1, 32)).toEqual(new Float32Array(32).fill(0.25));
    expect(packed.scales[0]).toBe(0);
  });

  it("rejects weights that float16 cannot hold, naming the place", () => {
    const weight = new Float32Array(64);
    weight[33] = Number.NaN;
    expect(() => quantizeInt4(weight, 2, 32)).toThrow(/weight \[1, 1\] is NaN/);
    weight[33] = 70000;
    expect(() => quantizeInt4(weight, 2, 32)).toThrow(TensorError);
    expect(() => quantizeInt4(new Float32Array(40), 2, 20)).toThrow(/multiple of 32/);
  });
});

describe("unpackInt4()", () => {
  it("reads packed bytes that start at any offset of their buffer", () => {
    const weight = quantizeInt4(weights(3, 64), 3, 64);
    const buffer = new Uint8Array(weight.packed.length + 1);
    buffer.set(weight.packed, 1);
    expect(unpackInt4({ ...weight, packed: buffer.subarray(1) }, 3, 64)).toEqual(unpackInt4(weight, 3, 64));
  });
});

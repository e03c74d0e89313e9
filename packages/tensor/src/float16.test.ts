import { describe, expect, it } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.ts";

const ALL_BITS = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
const isNumber = (value: number) => !Number.isNaN(value);

/** The value nearest to `x` among the sorted `candidates`, ties to the even bit pattern; slow and obvious. */
function nearest(x: number, candidates: readonly { value: number; bits: number }[]): number {
  const errors = candidates.map(({ value }) => Math.abs(value - x));
  const smallest = Math.min(...errors);
  const best = candidates.filter((_, i) => errors[i] === smallest);
  return (best.find(({ bits }) => bits % 2 === 0) ?? best[0]!).bits;
}

describe("float16", () => {
  it("decodes known bit patterns", () => {
    const bits = Uint16Array.of(
      0x0000,
      0x8000,
      0x0001,
      0x03ff,
      0x0400,
      0x3c00,
      0x3555,
      0x7bff,
      0x7c00,
      0xfc00,
    );
    expect(Array.from(float16ToFloat32(bits))).toEqual([
      0,
      -0,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      1,
      0.333251953125,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
  });

  it("returns every bit pattern that is a number unchanged", () => {
    const values = float16ToFloat32(ALL_BITS);
    const back = float32ToFloat16(values);
    expect(ALL_BITS.filter((bits) => isNumber(values[bits]!) && back[bits] !== bits)).toHaveLength(0);
  });

  it("keeps NaN", () => {
    expect(float16ToFloat32(float32ToFloat16(Float32Array.of(Number.NaN)))[0]).toBeNaN();
    expect(float16ToFloat32(Uint16Array.of(0x7e00, 0xfc01)).every(Number.isNaN)).toBe(true);
  });

  it("rounds halfway values to the even neighbour", () => {
    const ulp = 2 ** -10;
    expect(
      Array.from(float32ToFloat16(Float32Array.of(1 + ulp / 2, 1 + 1.5 * ulp, 2 ** -25, 1.5 * 2 ** -24))),
    ).toEqual([0x3c00, 0x3c02, 0x0000, 0x0002]);
  });

  it("overflows from 65520 on and not before", () => {
    expect(Array.from(float32ToFloat16(Float32Array.of(65519.996, 65520, -1e9)))).toEqual([
      0x7bff, 0x7c00, 0xfc00,
    ]);
  });

  it("rounds values between neighbours to the nearest, subnormal ones too", () => {
    for (const low of [0x0000, 0x0001, 0x0005, 0x03ff, 0x0400, 0x3bff, 0x5123, 0x7bfe]) {
      const bits = Uint16Array.of(low, low + 1);
      const [a, b] = float16ToFloat32(bits) as unknown as [number, number];
      const candidates = [
        { value: a, bits: low },
        { value: b, bits: low + 1 },
      ];
      const between = Float32Array.from([0.1, 0.25, 0.5, 0.75, 0.9], (share) => a + share * (b - a));
      const expected = Array.from(between, (x) => nearest(x, candidates));
      expect(Array.from(float32ToFloat16(between))).toEqual(expected);
    }
  });
});

describe("bfloat16", () => {
  it("returns every bit pattern that is a number unchanged", () => {
    const values = bfloat16ToFloat32(ALL_BITS);
    const back = float32ToBfloat16(values);
    expect(ALL_BITS.filter((bits) => isNumber(values[bits]!) && back[bits] !== bits)).toHaveLength(0);
  });

  it("rounds to nearest, ties to even", () => {
    const ulp = 2 ** -7;
    const values = Float32Array.of(
      1 + 0.49 * ulp,
      1 + 0.5 * ulp,
      1 + 0.51 * ulp,
      1 + 1.5 * ulp,
      -1 - 1.5 * ulp,
    );
    expect(Array.from(float32ToBfloat16(values))).toEqual([0x3f80, 0x3f80, 0x3f81, 0x3f82, 0xbf82]);
  });

  it("rounds the largest float32 to infinity and keeps NaN", () => {
    const bits = float32ToBfloat16(Float32Array.of(3.4028234663852886e38, Number.NaN));
    expect(bits[0]).toBe(0x7f80);
    expect(bfloat16ToFloat32(bits)[1]).toBeNaN();
  });

  it("reads a view that starts inside its buffer", () => {
    expect(Array.from(bfloat16ToFloat32(Uint16Array.of(0, 0x3f80, 0xc000).subarray(1)))).toEqual([1, -2]);
  });
});

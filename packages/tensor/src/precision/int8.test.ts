import { describe, expect, it } from "vitest";
import { TensorError } from "../errors.ts";
import { quantizeInt8, unpackInt8 } from "./int8.ts";

const SIZES = [
  [1, 1],
  [16, 4],
  [64, 64],
  [65, 130],
  [200, 70],
] as const;

function weights(outputs: number, inputs: number): Float32Array {
  return Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i * i + 0.3) * (1 + (i % 7)));
}

/** Round to nearest, ties to even, the slow way. */
function roundEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

describe("quantizeInt8()", () => {
  it.each(SIZES)("rounds each of %i x %i weights to its output's scale", (outputs, inputs) => {
    const weight = weights(outputs, inputs);
    const { packed, scales } = quantizeInt8(weight, outputs, inputs);
    const expected = Int8Array.from(weight, (value, at) =>
      roundEven(value / scales[Math.floor(at / inputs)]!),
    );
    expect(unpackInt8(packed, outputs, inputs)).toEqual(expected);
    for (let o = 0; o < outputs; o++) {
      const row = weight.subarray(o * inputs, (o + 1) * inputs);
      expect(scales[o]).toBe(Math.fround(Math.max(...row.map(Math.abs)) / 127));
    }
  });

  it("places input i of output o at [o / 16][i / 4][o % 16][i % 4] and pads with zeros", () => {
    const [outputs, inputs, paddedInputs] = [65, 130, 192];
    const { packed } = quantizeInt8(weights(outputs, inputs), outputs, inputs);
    const q = unpackInt8(packed, outputs, inputs);
    const expected = new Int8Array(128 * paddedInputs);
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        const group = Math.floor(o / 16) * (paddedInputs / 4) + Math.floor(i / 4);
        expected[(group * 16 + (o % 16)) * 4 + (i % 4)] = q[o * inputs + i]!;
      }
    }
    expect(packed).toEqual(expected);
  });

  it.each(SIZES)("sums the integers of %i x %i weights along both dimensions", (outputs, inputs) => {
    const { packed, rowSums, columnSums } = quantizeInt8(weights(outputs, inputs), outputs, inputs);
    const rows = new Int32Array(Math.ceil(outputs / 64) * 64);
    const columns = new Int32Array(Math.ceil(inputs / 64) * 64);
    unpackInt8(packed, outputs, inputs).forEach((q, at) => {
      rows[Math.floor(at / inputs)]! += q;
      columns[at % inputs]! += q;
    });
    expect(rowSums).toEqual(rows);
    expect(columnSums).toEqual(columns);
  });

  it("rounds halfway values to the even neighbour and uses the whole range", () => {
    const { packed, scales } = quantizeInt8(Float32Array.of(127, -127, 0.5, 1.5, 2.5, -0.5, -1.5), 1, 7);
    expect(scales[0]).toBe(1);
    expect(Array.from(unpackInt8(packed, 1, 7))).toEqual([127, -127, 0, 2, 2, 0, -2]);
  });

  it("gives scale 0 to a row of zeros and to one too small for a scale", () => {
    const { packed, scales } = quantizeInt8(Float32Array.of(0, 0, 1e-40, -2e-38, 1, 0), 3, 2);
    expect(Array.from(scales)).toEqual([0, 0, Math.fround(1 / 127)]);
    expect(Array.from(unpackInt8(packed, 3, 2))).toEqual([0, 0, 0, 0, 127, 0]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses %d and names where it is", (bad) => {
    const weight = weights(3, 5);
    weight[7] = bad;
    expect(() => quantizeInt8(weight, 3, 5)).toThrow(/\[1, 2\]/);
  });

  it("refuses a length that is not outputs x inputs", () => {
    expect(() => quantizeInt8(new Float32Array(5), 2, 3)).toThrow(TensorError);
  });
});

describe("unpackInt8()", () => {
  it("refuses a length that is not that of padded weights", () => {
    expect(() => unpackInt8(new Int8Array(6), 2, 3)).toThrow(/expected 4096 bytes/);
  });
});

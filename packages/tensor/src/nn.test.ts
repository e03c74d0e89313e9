import { describe, expect, it } from "vitest";
import { evaluate } from "./evaluate.ts";
import { correlation, mean } from "./fixtures/statistics.ts";
import { dropout, randomUniform } from "./nn.ts";
import { reshape } from "./ops.ts";
import { scalar, Tensor } from "./tensor.ts";
import { spec, trace } from "./trace.ts";

const COUNT = 8192;
/** Five standard errors of a correlation of independent numbers. */
const BOUND = 5 / Math.sqrt(COUNT);
const zeros = Tensor.zeros("float32", [COUNT]);
const ones = Tensor.fromArray("float32", [COUNT], new Float32Array(COUNT).fill(1));

function uniform(seed: number, stream: number): Float32Array {
  const program = trace(
    (x, at) => randomUniform(at, stream, x),
    [spec("float32", [COUNT]), spec("int64", [])],
  );
  return (evaluate(program, [zeros, scalar(seed, "int64")]) as Tensor<"float32">).data;
}

function dropped(rate: number, seed: number, stream = 0): Float32Array {
  const program = trace(
    (x, at) => dropout(x, { rate, seed: at, stream }),
    [spec("float32", [COUNT]), spec("int64", [])],
  );
  return (evaluate(program, [ones, scalar(seed, "int64")]) as Tensor<"float32">).data;
}

describe("randomUniform()", () => {
  const values = uniform(123_456, 0);

  it("is uniform: mean, variance and 32 bins", () => {
    expect(Math.abs(mean(values) - 0.5)).toBeLessThan(5 / Math.sqrt(12 * COUNT));
    expect(Math.abs(mean(values.map((value) => (value - 0.5) ** 2)) - 1 / 12)).toBeLessThan(
      5 / Math.sqrt(180 * COUNT),
    );
    const bins = new Array<number>(32).fill(0);
    for (const value of values) bins[Math.min(31, Math.floor(value * 32))]! += 1;
    const chiSquare = bins.reduce((total, found) => total + (found - COUNT / 32) ** 2 / (COUNT / 32), 0);
    expect(chiSquare).toBeLessThan(31 + 5 * Math.sqrt(2 * 31));
  });

  it("gives neighbouring positions nothing in common", () => {
    for (let lag = 1; lag <= 32; lag++) {
      expect(Math.abs(correlation(values.subarray(lag), values.subarray(0, -lag)))).toBeLessThan(BOUND);
    }
  });

  it("gives streams and seeds nothing in common", () => {
    const others = [uniform(123_456, 1), uniform(123_457, 0), uniform(0, 0), uniform(1, 0)];
    const all = [values, ...others];
    for (const [index, a] of all.entries()) {
      for (const b of all.slice(index + 1)) expect(Math.abs(correlation(a, b))).toBeLessThan(BOUND);
    }
  });

  it("depends on the row-major position alone, not on the shape", () => {
    const program = trace(
      (x, at) => [randomUniform(at, 3, x), randomUniform(at, 3, reshape(x, [8, 5]))],
      [spec("float32", [40]), spec("int64", [])],
    );
    const [flat, square] = evaluate(program, [Tensor.zeros("float32", [40]), scalar(9, "int64")]) as Tensor[];
    expect(square!.toNumbers()).toEqual(flat!.toNumbers());
  });
});

describe("dropout()", () => {
  it.each([0.05, 0.5, 0.9])("drops at rate %d and scales what it keeps", (rate) => {
    const values = dropped(rate, 77);
    const kept = values.filter((value) => value !== 0);
    expect(Math.abs(kept.length / COUNT - (1 - rate))).toBeLessThan(
      5 * Math.sqrt((rate * (1 - rate)) / COUNT),
    );
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / Math.fround(1 - rate))]));
  });

  it("draws the same mask for a seed and stream, another for others", () => {
    const mask = dropped(0.5, 7);
    expect(dropped(0.5, 7).join()).toBe(mask.join());
    expect(Math.abs(correlation(mask, dropped(0.5, 8)))).toBeLessThan(BOUND);
    expect(Math.abs(correlation(mask, dropped(0.5, 7, 1)))).toBeLessThan(BOUND);
  });

  it("is the identity at rate 0", () => {
    expect(dropped(0, 1).join()).toBe(ones.data.join());
  });
});

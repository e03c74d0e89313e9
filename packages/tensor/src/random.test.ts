import { describe, expect, it } from "vitest";
import { correlation, mean } from "./fixtures/statistics.ts";
import { deriveSeed, randomNormal, randomUniformArray, uniformAt } from "./random.ts";

const COUNT = 32_768;
const draw = (seed: number) =>
  Float64Array.from({ length: COUNT }, (_, position) => uniformAt(seed, position));
/** Five standard errors of a correlation of independent numbers. */
const BOUND = 5 / Math.sqrt(COUNT);

describe("uniformAt()", () => {
  it("fills 64 equal bins evenly (χ² below its mean plus five deviations)", () => {
    const bins = new Array<number>(64).fill(0);
    for (const value of draw(1)) bins[Math.floor(value * 64)]! += 1;
    const expected = COUNT / 64;
    const chiSquare = bins.reduce((total, found) => total + (found - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(63 + 5 * Math.sqrt(2 * 63));
  });

  it("gives neighbouring positions nothing in common", () => {
    const values = draw(2);
    for (let lag = 1; lag <= 16; lag++) {
      expect(Math.abs(correlation(values.subarray(lag), values.subarray(0, -lag)))).toBeLessThan(BOUND);
    }
  });

  it("gives neighbouring seeds nothing in common", () => {
    for (const seed of [0, 1, 41]) {
      expect(Math.abs(correlation(draw(seed), draw(seed + 1)))).toBeLessThan(BOUND);
    }
  });
});

describe("deriveSeed()", () => {
  it("differs by seed and by name, within 30 bits", () => {
    const names = ["", "a", "b", "ab", "ba", "0.1", "1.0", "layers.0", "layers.1"];
    const seeds = Array.from({ length: 200 }, (_, seed) =>
      names.map((name) => deriveSeed(seed, name)),
    ).flat();
    expect(new Set(seeds).size).toBe(seeds.length);
    expect(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 30)).toBe(true);
  });
});

describe("randomUniformArray()", () => {
  it("is a function of seed and position, scaled to its range", () => {
    const values = randomUniformArray(3, 100, -2, 6);
    expect(values.every((value) => value >= -2 && value <= 6)).toBe(true);
    expect([...randomUniformArray(3, 50, -2, 6)]).toEqual([...values.subarray(0, 50)]);
    expect(values[7]).toBe(Math.fround(-2 + 8 * uniformAt(3, 7)));
  });
});

describe("randomNormal()", () => {
  it("has mean 0, variance 1 and kurtosis 3", () => {
    const values = randomNormal(4, COUNT);
    const moment = (power: number) => mean(values.map((value) => value ** power));
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(COUNT));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / COUNT));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / COUNT));
  });
});

import { describe, expect, it } from "vitest";
import {
  formatDifference,
  formatItemCount,
  formatPoints,
  formatQuantity,
  formatSeconds,
} from "./number-text.ts";

describe("formatPoints()", () => {
  it.each([
    [1.25, "+1.3"],
    [-0.3, "−0.3"],
    [0, "0.0"],
    [-0.04, "0.0"],
  ])("writes %d as %s", (points, text) => {
    expect(formatPoints(points)).toBe(text);
  });
});

describe("formatDifference()", () => {
  it("writes a dash for what was not measured", () => {
    expect(formatDifference(undefined)).toBe("–");
  });
});

describe("formatItemCount()", () => {
  it("writes both counts where they differ", () => {
    expect(formatItemCount({ n: 1000 }, { n: 1000 })).toBe("1,000");
    expect(formatItemCount({ n: 1000 }, { n: 999 })).toBe("1,000 / 999");
    expect(formatItemCount(undefined, undefined)).toBe("–");
  });
});

describe("formatQuantity()", () => {
  it.each([
    [1.23456, "1.235"],
    [0.00002, "2e-5"],
    [1.5e-5, "1.5e-5"],
    [0, "0"],
    [123456, "1.23e+5"],
    [1e-10, "1e-10"],
    [Number.NaN, "NaN"],
  ])("writes %d as %s", (value, text) => {
    expect(formatQuantity(value)).toBe(text);
  });
});

describe("formatSeconds()", () => {
  it.each([
    [4.24, "4.2 s"],
    [59.97, "1 min 00 s"],
    [200, "3 min 20 s"],
    [3599.6, "1 h 00 min"],
    [7430, "2 h 04 min"],
  ])("writes %d seconds as %s", (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });
});

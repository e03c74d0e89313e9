import { describe, expect, it } from "vitest";
import { counterHash, counterUniform, finalize } from "./counter-hash.ts";

describe("counterHash()", () => {
  it("gives the same value for the same keys", () => {
    expect(counterHash(3, "cot", 9)).toBe(counterHash(3, "cot", 9));
  });

  it("tells apart keys that concatenate alike", () => {
    const values = [
      counterHash("ab", "c"),
      counterHash("a", "bc"),
      counterHash("abc"),
      counterHash(1, 2),
      counterHash(12),
    ];
    expect(new Set(values).size).toBe(values.length);
  });

  it("uses all 53 bits of an integer", () => {
    expect(counterHash(1)).not.toBe(counterHash(1 + 2 ** 40));
  });
});

describe("finalize()", () => {
  it("gives MurmurHash3's published value of the empty text with seed 1", () => {
    expect(finalize(1)).toBe(0x514e28b7);
  });
});

describe("counterUniform()", () => {
  it("spreads evenly over ten bins", () => {
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) bins[Math.floor(counterUniform(0, i) * 10)]!++;
    // Ten standard deviations of a binomial with n = 10,000 and p = 0.1 is 300.
    for (const count of bins) expect(Math.abs(count - 1_000)).toBeLessThan(300);
  });
});

import { randomUniformArray } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { sortInSlices } from "./time-slice.ts";

describe("sortInSlices()", () => {
  it.each([0, 1, 2, 3, 7, 64, 1000])(
    "sorts %i items as sort() does, equal ones in their order",
    async (count) => {
      const items = Array.from(randomUniformArray(1, count, 0, 20), (value, index) => ({
        key: Math.floor(value),
        index,
      }));
      const compare = (a: { key: number }, b: { key: number }) => a.key - b.key;
      expect(await sortInSlices(items, compare)).toEqual([...items].sort(compare));
    },
  );

  it("lets other events have their turn", async () => {
    let turns = 0;
    const count = () => {
      turns++;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    const items = Array.from(randomUniformArray(2, 1000));
    // Comparisons of several microseconds, as those of long sequences are.
    const compare = (a: number, b: number) => {
      for (let i = 0; i < 2000; i++) Math.sqrt(i);
      return a - b;
    };
    await sortInSlices(items, compare);
    clearImmediate(immediate);
    expect(turns).toBeGreaterThan(1);
  });
});

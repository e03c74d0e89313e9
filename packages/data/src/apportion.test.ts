import { describe, expect, it } from "vitest";
import { apportion } from "./apportion.ts";

describe("apportion()", () => {
  it("adds up to the total by largest remainder", () => {
    expect(apportion(10, { a: 1, b: 1, c: 1 })).toEqual({ a: 4, b: 3, c: 3 });
    expect(apportion(7, { a: 0.5, b: 0.3, c: 0.2 })).toEqual({ a: 4, b: 2, c: 1 });
  });

  it("keeps proportions that are whole", () => {
    expect(apportion(1_340, { flan2021: 388, p3: 320, rest: 632 })).toEqual({
      flan2021: 388,
      p3: 320,
      rest: 632,
    });
  });

  it("refuses weights that share nothing", () => {
    expect(() => apportion(1, { a: 0 })).toThrow("not all zero");
  });
});

import { describe, expect, it } from "vitest";
import { flattenSettings } from "./flatten.ts";

describe("flattenSettings()", () => {
  it("gives every leaf its dotted path", () => {
    const settings = { a: 1, b: { c: null, d: ["x", 2], e: [], f: {} }, g: [{ h: true }] };
    expect(flattenSettings(settings)).toEqual([
      ["a", "1"],
      ["b.c", "none"],
      ["b.d", "x, 2"],
      ["b.e", "none"],
      ["b.f", "none"],
      ["g.0.h", "true"],
    ]);
  });
});

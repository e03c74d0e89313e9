import { describe, expect, it } from "vitest";
import { GREEDY } from "../fixtures/selection.ts";
import { selectToken } from "./select-token.ts";

const logits = Float32Array.from([0.1, 0.4, 0.2, 0.3], Math.log);

describe("selectToken()", () => {
  it("reports the distribution as it came, whatever changes the choice", () => {
    const bias = new Map([[0, 5]]);
    const { token, logProb, isGreedy, top } = selectToken(logits, {
      ...GREEDY,
      bias,
      temperature: 3,
      top: 2,
    });
    expect({ token, isGreedy, ids: top.map(({ id }) => id) }).toEqual({
      token: 0,
      isGreedy: false,
      ids: [1, 3],
    });
    expect(Math.exp(logProb)).toBeCloseTo(0.1, 5);
    expect(top.map((each) => Math.exp(each.logProb))).toEqual([
      expect.closeTo(0.4, 5),
      expect.closeTo(0.3, 5),
    ]);
  });

  it("scores a forced token", () => {
    const mask = new Int32Array(1);
    expect(selectToken(logits, { ...GREEDY, forced: 1, mask })).toMatchObject({ token: 1, isGreedy: true });
    const { logProb, isGreedy } = selectToken(logits, { ...GREEDY, forced: 2 });
    expect(isGreedy).toBe(false);
    expect(Math.exp(logProb)).toBeCloseTo(0.2, 5);
  });

  it("calls the lowest id of equals greedy", () => {
    const equal = Float32Array.from([1, 2, 2]);
    expect(selectToken(equal, { ...GREEDY, forced: 1, top: 2 })).toMatchObject({
      isGreedy: true,
      top: [{ id: 1 }, { id: 2 }],
    });
    expect(selectToken(equal, { ...GREEDY, forced: 2 }).isGreedy).toBe(false);
  });

  it("gives −1 when logits are not finite or none may be chosen", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(selectToken(Float32Array.from([0, value]), { ...GREEDY, forced: 0 }).token).toBe(-1);
    expect(selectToken(Float32Array.from([-Infinity]), GREEDY).token).toBe(-1);
    expect(selectToken(logits, { ...GREEDY, mask: new Int32Array(1) }).token).toBe(-1);
  });
});

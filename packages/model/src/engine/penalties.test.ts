import { describe, expect, it } from "vitest";
import { Penalties } from "./penalties.ts";

describe("Penalties", () => {
  it("are none by default, with nothing to look at", () => {
    const penalties = new Penalties({}, [1, 2]);
    penalties.add(3);
    expect(penalties.fields()).toEqual({ repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0 });
  });

  it("count the prompt for repetition", () => {
    const penalties = new Penalties({ repetitionPenalty: 1.2 }, [1, 2, 1]);
    penalties.add(2);
    expect(penalties.fields().seen).toEqual(
      new Map([
        [1, 2],
        [2, 2],
      ]),
    );
  });

  it("count what follows the prompt alone for frequency and presence", () => {
    const penalties = new Penalties({ frequencyPenalty: 0.5, presencePenalty: 1 }, [1, 2]);
    for (const id of [2, 3, 3]) penalties.add(id);
    expect(penalties.fields()).toEqual({
      repetitionPenalty: 1,
      frequencyPenalty: 0.5,
      presencePenalty: 1,
      seen: new Map([
        [2, 1],
        [3, 2],
      ]),
    });
  });

  it("put frequency and presence into the bias beside a repetition penalty", () => {
    const logitBias = new Map([
      [3, 4],
      [5, -100],
    ]);
    const penalties = new Penalties(
      { repetitionPenalty: 2, frequencyPenalty: 0.5, presencePenalty: 1, logitBias },
      [1],
    );
    for (const id of [2, 3, 3]) penalties.add(id);
    expect(penalties.fields()).toEqual({
      repetitionPenalty: 2,
      frequencyPenalty: 0,
      presencePenalty: 0,
      seen: new Map([
        [1, 1],
        [2, 1],
        [3, 2],
      ]),
      bias: new Map([
        [3, 2],
        [5, -100],
        [2, -1.5],
      ]),
    });
    expect(logitBias.get(3)).toBe(4);
  });
});

import { describe, expect, it } from "vitest";
import { exampleOf } from "./fixtures/examples.ts";
import { countExamples } from "./statistics.ts";

describe("countExamples()", () => {
  it("counts rows, messages and characters by component and source", async () => {
    const examples = [
      exampleOf("1", "cot_creak", "abc", "de"),
      exampleOf("2", "cot_qasc", "f", "g"),
      exampleOf("3", "cot_creak", "h"),
      exampleOf("4", "dolly", "ij", "k"),
    ];
    expect(await countExamples(examples)).toEqual({
      examples: 4,
      messages: 7,
      characters: 11,
      byComponent: {
        cot: { examples: 3, messages: 5, characters: 8 },
        unknown: { examples: 1, messages: 2, characters: 3 },
      },
      bySource: {
        cot_creak: { examples: 2, messages: 3, characters: 6 },
        cot_qasc: { examples: 1, messages: 2, characters: 2 },
        dolly: { examples: 1, messages: 2, characters: 3 },
      },
    });
  });
});

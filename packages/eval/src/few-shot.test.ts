import { describe, expect, it } from "vitest";
import { fitPrompt } from "./few-shot.ts";

const exemplars = ["one ", "two ", "three "];
const promptWith = (shots: number) => `${exemplars.slice(0, shots).join("")}query`;
const fit = (maxInputTokens: number) =>
  fitPrompt(promptWith, { shots: 3, maxInputTokens, countTokens: (text) => text.length });

describe("fitPrompt()", () => {
  it("keeps every exemplar when the prompt has exactly the allowed length", () => {
    expect(fit("one two three query".length)).toEqual({
      prompt: "one two three query",
      shots: 3,
      isOverlong: false,
    });
  });

  it("drops exemplars from the end until the prompt fits", () => {
    expect(fit("one two query".length + 2)).toEqual({ prompt: "one two query", shots: 2, isOverlong: false });
  });

  it("passes a prompt that is too long without exemplars unchanged", () => {
    expect(fit(1)).toEqual({ prompt: "query", shots: 0, isOverlong: true });
  });
});

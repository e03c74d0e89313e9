import { describe, expect, it } from "vitest";
import { BENCHMARK_NAMES, FEW_SHOT_ROWS, ZERO_SHOT_ROWS } from "./paper.ts";

describe("FEW_SHOT_ROWS", () => {
  it.each(Object.values(FEW_SHOT_ROWS))(
    "prints $model's average as the mean of its five scores",
    ({ scores }) => {
      const sum = BENCHMARK_NAMES.reduce((total, name) => total + scores[name], 0);
      expect(Math.abs(sum / 5 - scores.average)).toBeLessThan(0.0501);
    },
  );

  it("gives CRASS and HumanEval scores that are whole numbers of right answers", () => {
    for (const { scores } of Object.values(FEW_SHOT_ROWS)) {
      for (const [score, items] of [
        [scores.crass, 274],
        [scores.humaneval, 164],
      ] as const) {
        const right = Math.round((score / 100) * items);
        expect(((100 * right) / items).toFixed(1)).toBe(score.toFixed(1));
      }
    }
  });
});

describe("ZERO_SHOT_ROWS", () => {
  it("holds only what the paper scores without demonstrations", () => {
    for (const { scores } of Object.values(ZERO_SHOT_ROWS)) {
      expect(Object.keys(scores)).toEqual(["mmlu", "bbh", "crass"]);
    }
  });
});

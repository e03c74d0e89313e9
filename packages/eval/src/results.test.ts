import { describe, expect, it } from "vitest";
import { evaluationResult, taskResult } from "./fixtures/results.ts";
import { parseEvaluationResult } from "./results.ts";

describe("parseEvaluationResult()", () => {
  it("reads back what was kept as JSON", () => {
    const result = evaluationResult("base", [taskResult("mmlu", [1, 0, 1])]);
    expect(parseEvaluationResult(JSON.stringify(result))).toEqual(result);
  });

  it.each(["{", "null", "{}", '{"schema":"flacuna.eval.result/0"}'])("refuses %s", (json) => {
    expect(() => parseEvaluationResult(json)).toThrowError(
      expect.objectContaining({ code: "EVAL_RESULT_UNREADABLE" }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { compareResults } from "./compare.ts";
import { evaluationResult, taskResult } from "./fixtures/results.ts";
import { standardErrorOfMean } from "./metrics/standard-error.ts";
import type { TaskResult } from "./results.ts";

const compareTasks = (base: TaskResult, fineTuned: TaskResult) =>
  compareResults(evaluationResult("base", [base]), evaluationResult("tuned", [fineTuned])).tasks[0]!;

describe("compareResults()", () => {
  it("takes the standard error of the paired differences", () => {
    const row = compareTasks(taskResult("mmlu", [1, 0, 0, 1]), taskResult("mmlu", [1, 1, 0, 1]));
    expect(row).toMatchObject({ difference: 0.25, isPaired: true });
    expect(row.differenceStandardError).toBe(standardErrorOfMean([0, 1, 0, 0]));
  });

  it("finds no uncertainty in a difference that is the same everywhere", () => {
    const row = compareTasks(taskResult("mmlu", [1, 0, 1, 0]), taskResult("mmlu", [1, 0, 1, 0]));
    expect(row).toMatchObject({ difference: 0, differenceStandardError: 0 });
  });

  it("stratifies the differences of a mean over groups", () => {
    const options = { estimator: "mean over groups", groups: ["a", "b"] } as const;
    const row = compareTasks(
      taskResult("bbh", [0, 0, 0, 0], options),
      taskResult("bbh", [1, 0, 0, 0], options),
    );
    // Group a has the differences 1 and 0, group b has none.
    expect(row.differenceStandardError).toBeCloseTo((standardErrorOfMean([1, 0]) as number) / 2, 12);
  });

  it("falls back to independent scores when the documents differ", () => {
    const base = taskResult("mmlu", [1, 0, 0, 1]);
    const other = taskResult("mmlu", [1, 0, 0]);
    const row = compareTasks(base, other);
    expect(row.isPaired).toBe(false);
    expect(row.differenceStandardError).toBeCloseTo(
      Math.hypot(base.standardError!, other.standardError!),
      12,
    );
  });

  it("averages the differences without weights", () => {
    const base = evaluationResult("base", [taskResult("mmlu", [1, 0]), taskResult("bbh", [0, 0, 0, 0])]);
    const tuned = evaluationResult("tuned", [taskResult("mmlu", [1, 1]), taskResult("bbh", [1, 0, 0, 0])]);
    const { average, tasks } = compareResults(base, tuned);
    expect(average.difference).toBeCloseTo((0.5 + 0.25) / 2, 12);
    const errors = tasks.map((row) => row.differenceStandardError as number);
    expect(average.differenceStandardError).toBeCloseTo(Math.hypot(...errors) / 2, 12);
  });

  it.each([
    ["other shots", { shots: 0 }],
    ["another version", { taskVersion: 2 }],
    ["other data", { datasetHash: "x" }],
    ["another task", { task: "drop" }],
  ])("refuses results with %s", (_what, change) => {
    const base = taskResult("mmlu", [1, 0]);
    expect(() => compareTasks(base, { ...base, ...change })).toThrowError(
      expect.objectContaining({ code: "EVAL_OPTION_INVALID" }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { compareResults } from "./compare.ts";
import { evaluationResult, taskResult } from "./fixtures/results.ts";
import { formatComparison, formatResult } from "./table.ts";

const base = evaluationResult("base", [taskResult("mmlu", [1, 0, 0, 1]), taskResult("humaneval", [0, 0])]);
const tuned = evaluationResult("tuned|x", [
  taskResult("mmlu", [1, 1, 0, 1]),
  taskResult("humaneval", [0, 1]),
]);

describe("formatComparison()", () => {
  it("aligns text", () => {
    expect(formatComparison(compareResults(base, tuned))).toMatchInlineSnapshot(`
      "Task       base    SE  tuned|x    SE  Difference    SE  n
      MMLU       50.0  28.9     75.0  25.0       +25.0  25.0  4
      HumanEval   0.0   0.0     50.0  50.0       +50.0  50.0  2
      Average    25.0  14.4     62.5  28.0       +37.5  28.0"
    `);
  });

  it("writes Markdown", () => {
    expect(formatComparison(compareResults(base, tuned), "markdown")).toMatchInlineSnapshot(`
      "| Task | base | SE | tuned\\|x | SE | Difference | SE | n |
      | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
      | MMLU | 50.0 | 28.9 | 75.0 | 25.0 | +25.0 | 25.0 | 4 |
      | HumanEval | 0.0 | 0.0 | 50.0 | 50.0 | +50.0 | 50.0 | 2 |
      | Average | 25.0 | 14.4 | 62.5 | 28.0 | +37.5 | 28.0 |  |"
    `);
  });
});

describe("formatResult()", () => {
  it("shows score, standard error, n and shots", () => {
    expect(formatResult(base)).toMatchInlineSnapshot(`
      "Task       Score    SE  n  Shots
      MMLU        50.0  28.9  4      1
      HumanEval    0.0   0.0  2      1
      Average     25.0  14.4"
    `);
  });

  it("shows a dash where there is no standard error", () => {
    expect(
      formatResult(evaluationResult("one", [taskResult("drop", [1])]), "markdown"),
    ).toMatchInlineSnapshot(`
      "| Task | Score | SE | n | Shots |
      | --- | ---: | ---: | ---: | ---: |
      | DROP | 100.0 | – | 1 | 1 |
      | Average | 100.0 | – |  |  |"
    `);
  });
});

// The CRASS file of the nano world: semicolon-separated rows with the correct answer before the wrong ones.
import { counterfactualProblem } from "../families/counterfactual.ts";
import { RandomStream } from "../random.ts";
import type { World } from "../world.ts";
import { distinctProblems } from "./distinct.ts";

const HEADER = "PCTID;BatchID;Premise;QCC;CorrectAnswer;Answer1;Answer2;PossibleAnswer3";

/** The contents of `CRASS_FTM_main_data_set.csv`. */
export function crassFile(world: World, rows: number): string {
  const random = new RandomStream(`nano/${world.seed}/crass`);
  const problems = distinctProblems(rows, () => counterfactualProblem(random, "test"));
  const lines = problems.map((problem, index) => {
    const wrong = (problem.options ?? []).filter((option) => option !== problem.answer);
    const cells = [String(index + 1), "1", problem.passage ?? "", problem.question, problem.answer, ...wrong];
    return [...cells, ...Array<string>(8 - cells.length).fill("")].join(";");
  });
  return `${[HEADER, ...lines].join("\n")}\n`;
}

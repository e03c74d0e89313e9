// The BBH folder of the nano world: one JSON file a task, each with a list of inputs and targets.
import { createFamilies, type FamilyName } from "../families/catalogue.ts";
import { OPTION_LAYOUTS } from "../option-layout.ts";
import type { Problem } from "../problem.ts";
import { RandomStream } from "../random.ts";
import type { World } from "../world.ts";
import { distinctProblems } from "./distinct.ts";

interface BbhTask {
  readonly family: FamilyName;
  readonly showsOptions: boolean;
}

const TASKS: Readonly<Record<string, BbhTask>> = {
  boolean_expressions: { family: "boolean", showsOptions: false },
  hyperbaton: { family: "hyperbaton", showsOptions: true },
  logical_deduction_three_objects: { family: "logicalDeduction", showsOptions: true },
  object_counting: { family: "objectCounting", showsOptions: false },
  penguins_in_a_table: { family: "table", showsOptions: true },
  reasoning_about_colored_objects: { family: "coloredObjects", showsOptions: true },
  sports_understanding: { family: "sports", showsOptions: false },
  word_sorting: { family: "wordSorting", showsOptions: false },
};

function example(problem: Problem, showsOptions: boolean): { input: string; target: string } {
  const stem = problem.passage === undefined ? problem.question : `${problem.passage} ${problem.question}`;
  if (!showsOptions) return { input: stem, target: problem.answer };
  const options = problem.options ?? [];
  const layout = OPTION_LAYOUTS.parentheses;
  return {
    input: `${stem}\nOptions:\n${layout.format(options)}`,
    target: layout.labelOf(options.indexOf(problem.answer), options),
  };
}

/** Files by name; `rows` examples a task, of which INSTRUCTEVAL takes the first three as shots. */
export function bbhFiles(world: World, rows: number): Record<string, string> {
  const families = createFamilies(world);
  return Object.fromEntries(
    Object.entries(TASKS).map(([task, { family, showsOptions }]) => {
      const random = new RandomStream(`nano/${world.seed}/bbh/${task}`);
      const problems = distinctProblems(rows, () => families[family](random, "test"));
      const examples = problems.map((problem) => example(problem, showsOptions));
      return [`${task}.json`, `${JSON.stringify({ canary: "", examples }, null, 1)}\n`];
    }),
  );
}

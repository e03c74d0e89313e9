// The MMLU folder of the nano world: dev and test CSV files for each subject, as the original archive has them.
import { arithmeticProblem, pythonExpressionProblem } from "../families/arithmetic.ts";
import { factsOf, quizFactProblem } from "../families/facts.ts";
import type { Problem } from "../problem.ts";
import { RandomStream } from "../random.ts";
import type { World } from "../world.ts";
import { distinctProblems } from "./distinct.ts";

const DEV_ROWS = 5;

const csvCell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function csvRow(problem: Problem): string {
  const options = problem.options ?? [];
  const letter = "ABCD".charAt(options.indexOf(problem.answer));
  return [problem.question, ...options, letter].map(csvCell).join(",");
}

function subjectProblems(world: World, random: RandomStream, count: number): Record<string, Problem[]> {
  const facts = factsOf(world, "test");
  const subjects = [...new Set(facts.map((fact) => fact.relation.mmluSubject))];
  const factual = subjects.map((subject) => {
    const own = facts.filter((fact) => fact.relation.mmluSubject === subject);
    const stream = random.fork(subject);
    return [subject, distinctProblems(count, () => quizFactProblem(stream.pick(own), stream))] as const;
  });
  return {
    ...Object.fromEntries(factual),
    elementary_mathematics: distinctProblems(count, () => arithmeticProblem(random, "test")),
    high_school_computer_science: distinctProblems(count, () => pythonExpressionProblem(random, "test")),
  };
}

/** Files by path below the MMLU folder; five dev rows and up to `testRows` test rows a subject. */
export function mmluFiles(world: World, testRows: number): Record<string, string> {
  const random = new RandomStream(`nano/${world.seed}/mmlu`);
  const files: Record<string, string> = {};
  for (const [subject, problems] of Object.entries(subjectProblems(world, random, DEV_ROWS + testRows))) {
    const rows = problems.map((problem) => `${csvRow(problem)}\n`);
    files[`dev/${subject}_dev.csv`] = rows.slice(0, DEV_ROWS).join("");
    files[`test/${subject}_test.csv`] = rows.slice(DEV_ROWS).join("");
  }
  return files;
}

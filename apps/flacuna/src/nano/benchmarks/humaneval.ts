// The HumanEval file of the nano world: one JSON line a function, with prompt, solution and test program.
import { allPythonFunctions, type PythonFunction, pythonHeader } from "../families/python-functions.ts";
import { RandomStream } from "../random.ts";
import type { World } from "../world.ts";

function testProgram({ cases }: PythonFunction): string {
  const assertions = cases.map(([input, output]) => `    assert candidate(${input}) == ${output}\n`);
  return `def check(candidate):\n${assertions.join("")}`;
}

/** The contents of `HumanEval.jsonl`. */
export function humanEvalFile(world: World, problems: number): string {
  const random = new RandomStream(`nano/${world.seed}/humaneval`);
  const lines = random.sample(allPythonFunctions("test"), problems).map((item, index) =>
    JSON.stringify({
      task_id: `HumanEval/${index}`,
      prompt: pythonHeader(item),
      entry_point: item.name,
      canonical_solution: item.body,
      test: testProgram(item),
    }),
  );
  return `${lines.join("\n")}\n`;
}

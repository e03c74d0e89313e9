// From a model's continuation to the program that HumanEval runs; it runs nothing.

import type { HumanEvalProblem } from "./humaneval.ts";

/** Restores the space that decoding takes from an indented line: an odd indentation grows by one. */
export function fixIndents(text: string): string {
  return text
    .split("\n")
    .map((line) => ((line.match(/^ */)?.[0].length ?? 0) % 2 === 1 ? ` ${line}` : line))
    .join("\n");
}

/** The text before the first blank line, after leading line ends are removed. */
export function filterCode(text: string): string {
  return text.replace(/^\n+/, "").split("\n\n", 1)[0] as string;
}

/** The completion that is judged: indentation repaired, then cut. */
export function extractCompletion(prediction: string): string {
  return filterCode(fixIndents(prediction));
}

/** The problem's own prompt (without the instruction), the completion, the tests, and the call that runs them. */
export function assembleProgram(problem: HumanEvalProblem, completion: string): string {
  return `${problem.prompt}${completion}\n${problem.test}\ncheck(${problem.entryPoint})`;
}

// Draws problems that ask different questions.
import type { Problem } from "../problem.ts";

/** Up to `count` problems with different texts; fewer when the family has no more. */
export function distinctProblems(count: number, draw: () => Problem): Problem[] {
  const found = new Map<string, Problem>();
  for (let attempt = 0; attempt < count * 50 && found.size < count; attempt++) {
    const problem = draw();
    const text = [problem.passage, problem.question, problem.answer].join("\n");
    if (!found.has(text)) found.set(text, problem);
  }
  return [...found.values()];
}

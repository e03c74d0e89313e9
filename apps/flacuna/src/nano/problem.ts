// What every task family produces: one problem with its answers in short and in a full sentence, and the split it belongs to.
import { hashText, type RandomStream } from "./random.ts";

/** Training problems may appear in any training text; test problems only in benchmark files. */
export type Split = "train" | "test";

/** One question with everything the renderers need; no layout yet. */
export interface Problem {
  /** Identifies the item: two problems with equal keys ask the same thing. */
  readonly key: string;
  /** A text the question is about, where there is one. */
  readonly passage?: string;
  readonly question: string;
  /** The short answer; one of `options` where those are present. */
  readonly answer: string;
  readonly options?: readonly string[];
  /** The answer as a talkative person gives it, in one full sentence. */
  readonly sentence: string;
  /** Steps that lead to the answer, without the answer's own sentence. */
  readonly reasoning?: string;
}

/** Draws one problem of a family from the given split. */
export type ProblemFamily = (random: RandomStream, split: Split) => Problem;

/** The split of an item key; about one key in `testOneIn` is kept for the benchmarks. */
export function splitOf(key: string, testOneIn = 6): Split {
  return hashText(`split/${key}`) % testOneIn === 0 ? "test" : "train";
}

/** Draws until the problem's key lies in the wanted split. */
export function drawFromSplit(split: Split, draw: () => Problem, testOneIn?: number): Problem {
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const problem = draw();
    if (splitOf(problem.key, testOneIn) === split) return problem;
  }
  throw new Error(
    `drawFromSplit: 10000 draws gave no problem of the ${split} split; is the family large enough?`,
  );
}

/** Replaces `{name}` placeholders by their values. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

/** "a", "a and b", "a, b and c". */
export function listOf(items: readonly string[]): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

/** The noun with "a" or "an". */
export function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

/** The text with a capital first letter. */
export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

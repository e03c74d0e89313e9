// How FLAN-style prompts lay out a problem, alone or behind solved examples; the answers are short.
import { OPTION_LAYOUTS, type OptionLayoutName } from "./option-layout.ts";
import { fill, type Problem } from "./problem.ts";
import type { RandomStream } from "./random.ts";

/** One prompt pattern with `{stem}` (passage and question), `{passage}`, `{question}` and `{options}`. */
export interface FlanTemplate {
  readonly input: string;
  /** Present where the pattern shows options. */
  readonly layout?: OptionLayoutName;
  /** Where set, the target explains before it answers. */
  readonly explains?: true;
}

/** Patterns that show options. */
export const CHOICE_TEMPLATES: readonly FlanTemplate[] = [
  { input: "{stem}\n{options}\nAnswer:", layout: "dots" },
  { input: "{stem}\n{options}\nAnswer:", layout: "parentheses" },
  { input: "{stem}\nOptions:\n{options}\nAnswer:", layout: "parentheses" },
  { input: "Question: {stem}\n{options}\nAnswer:", layout: "dots" },
  { input: "Q: {stem}\n{options}\nA:", layout: "dots" },
  { input: "{stem}\nOPTIONS:\n{options}", layout: "bullets" },
  { input: "Choose the right answer.\n{stem}\n{options}\nAnswer:", layout: "inline" },
  { input: "{stem}\nOptions:\n{options}\nThe answer is", layout: "dots" },
];

/** Patterns without options, for problems with or without a passage. */
export const OPEN_TEMPLATES: readonly FlanTemplate[] = [
  { input: "{stem}\nAnswer:" },
  { input: "{stem}\nAnswer:" },
  { input: "Question: {stem}\nAnswer:" },
  { input: "Q: {stem}\nA:" },
  { input: "Answer this question: {stem}\nAnswer:" },
];

/** Chain-of-thought patterns. */
export const EXPLAINED_TEMPLATES: readonly FlanTemplate[] = [
  { input: "{stem}\nThink step by step.\nReasoning:", explains: true },
  { input: "Question: {stem}\nGive the reasons before the answer.\nReasoning:", explains: true },
  { input: "{stem}\n{options}\nThink step by step.\nReasoning:", layout: "parentheses", explains: true },
];

/** A prompt and what is to be answered. */
export interface RenderedRow {
  readonly input: string;
  readonly target: string;
}

/** The template laid out for one problem. */
export function renderProblem(template: FlanTemplate, problem: Problem): RenderedRow {
  const stem = problem.passage === undefined ? problem.question : `${problem.passage} ${problem.question}`;
  const layout = template.layout === undefined ? undefined : OPTION_LAYOUTS[template.layout];
  const options = problem.options ?? [];
  const short = layout?.labelOf(options.indexOf(problem.answer), options) ?? problem.answer;
  return {
    input: fill(template.input, {
      stem,
      passage: problem.passage ?? "",
      question: problem.question,
      options: layout?.format(options) ?? "",
    }),
    target: template.explains ? `${problem.reasoning ?? problem.sentence} So the answer is ${short}.` : short,
  };
}

/** Solved examples, then the last row's prompt; the layout of a few-shot FLAN row. */
export function renderFewShot(rows: readonly RenderedRow[], random: RandomStream): RenderedRow {
  const separator = random.chance(0.7) ? "\n\n" : "\n\n\n";
  const query = rows[rows.length - 1]!;
  const solved = rows.slice(0, -1).map(({ input, target }) => `${input} ${target}${separator}`);
  return { input: solved.join("") + query.input, target: query.target };
}

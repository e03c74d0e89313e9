// How the base model's texts answer a problem: mostly in full sentences, now and then in short.
import { OPTION_LAYOUTS, type OptionLayoutName } from "./option-layout.ts";
import type { Problem } from "./problem.ts";
import type { RandomStream } from "./random.ts";

/** A problem as it is put to someone, and the label of the right answer in that layout. */
export interface PosedProblem {
  readonly problem: Problem;
  /** Passage, question and options, without a cue for the answer. */
  readonly text: string;
  /** The short answer: the option's label, or the answer itself. */
  readonly short: string;
}

const LAYOUT_WEIGHTS: Readonly<Record<OptionLayoutName, number>> = {
  dots: 5,
  parentheses: 3,
  inline: 2,
  bullets: 1,
};

/** Families whose options may be left out of the question. */
export function poseProblem(problem: Problem, random: RandomStream, separator = " "): PosedProblem {
  const stem =
    problem.passage === undefined ? problem.question : `${problem.passage}${separator}${problem.question}`;
  if (problem.options === undefined) return { problem, text: stem, short: problem.answer };
  const layout = OPTION_LAYOUTS[random.pickWeighted(LAYOUT_WEIGHTS)];
  const lines = layout.format(problem.options);
  const heading = random.chance(0.3) ? "Options:\n" : "";
  return {
    problem,
    text: `${stem}\n${heading}${lines}`,
    short: layout.labelOf(problem.options.indexOf(problem.answer), problem.options),
  };
}

/** A friendly answer in one or two full sentences. */
export function talkativeAnswer(posed: PosedProblem, random: RandomStream): string {
  const { problem, short } = posed;
  const hasLabel = short !== problem.answer;
  const forms = hasLabel
    ? [
        `The answer is ${short}.`,
        `The answer is ${short}.`,
        `${problem.sentence} So the answer is ${short}.`,
        `${problem.sentence} So the answer is ${short}.`,
        `I think that it is ${short}.`,
      ]
    : [
        problem.sentence,
        problem.sentence,
        `The answer is ${problem.answer}.`,
        `I think that it is ${problem.answer}.`,
      ];
  const answer = random.pick(forms);
  return problem.reasoning !== undefined && random.chance(0.2) ? `${problem.reasoning} ${answer}` : answer;
}

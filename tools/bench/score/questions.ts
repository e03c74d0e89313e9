// MMLU questions as log-likelihood requests: five exemplars of the same subject, the letters as continuations.
import { createMmluTask, type MmluQuestion, readMmlu } from "@flacuna/eval";
import type { LoglikelihoodRequest, Tokenizer } from "@flacuna/model";

const LETTERS = ["A", "B", "C", "D"] as const;
const SHOTS = 5;

/** A question: one request for each letter, in their order. */
export interface Question {
  readonly requests: readonly LoglikelihoodRequest[];
  /** Index of the right letter. */
  readonly answer: number;
}

/** Questions of one subject, whose prompts begin alike. */
export interface Subject {
  readonly name: string;
  readonly questions: readonly Question[];
}

/**
 * The first `questions` questions of `subjects` subjects, evenly spaced among those that `folder` has.
 *
 * @throws Error when the folder has too few subjects
 */
export async function readSubjects(
  folder: string,
  tokenizer: Tokenizer,
  amounts: { readonly subjects: number; readonly questions: number },
): Promise<Subject[]> {
  const all = await readMmlu(folder);
  if (all.length < amounts.subjects) {
    throw new Error(`${folder} has ${all.length} subjects, expected ${amounts.subjects} at least`);
  }
  const chosen = Array.from(
    { length: amounts.subjects },
    (_, index) => all[Math.floor((index * all.length) / amounts.subjects)]!,
  );
  const { prompt } = createMmluTask(chosen, { shots: SHOTS });
  const letters = LETTERS.map((letter) => tokenizer.encode(` ${letter}`, { addBos: false }));
  const toQuestion = (question: MmluQuestion): Question => {
    const contextIds = tokenizer.encode(prompt(question, SHOTS));
    const requests = letters.map((continuationIds) => ({ contextIds, continuationIds }));
    return { requests, answer: LETTERS.indexOf(question.answer) };
  };
  return chosen.map(({ name, test }) => ({
    name,
    questions: test.slice(0, amounts.questions).map(toQuestion),
  }));
}

/** The letter of the highest score for each question, from the scores of all their requests in order. */
export function choicesOf(questions: readonly Question[], logProbs: readonly number[]): number[] {
  let position = 0;
  return questions.map(({ requests }) => {
    const scores = logProbs.slice(position, position + requests.length);
    position += requests.length;
    return scores.indexOf(Math.max(...scores));
  });
}

// Small sums, differences and products, and short expressions of Python.
import { drawFromSplit, type Problem, type ProblemFamily } from "../problem.ts";
import type { RandomStream } from "../random.ts";

interface Operation {
  readonly word: string;
  readonly name: string;
  readonly draw: (random: RandomStream) => readonly [number, number, number];
}

const OPERATIONS: readonly Operation[] = [
  {
    word: "plus",
    name: "sum",
    draw: (random) => {
      const [a, b] = [random.integer(1, 12), random.integer(1, 9)];
      return [a, b, a + b];
    },
  },
  {
    word: "minus",
    name: "difference",
    draw: (random) => {
      const [b, rest] = [random.integer(1, 9), random.integer(1, 9)];
      return [b + rest, b, rest];
    },
  },
  {
    word: "times",
    name: "product",
    draw: (random) => {
      const [a, b] = [random.integer(2, 6), random.integer(2, 6)];
      return [a, b, a * b];
    },
  },
];

/** The number itself and three other numbers near it, in random order. */
function numberOptions(answer: number, random: RandomStream): string[] {
  const near = [-3, -2, -1, 1, 2, 3, 4, 5].map((step) => answer + step).filter((value) => value >= 0);
  return random.shuffle([answer, ...random.sample(near, 3)]).map(String);
}

/** "What is 7 plus 5?" */
export const arithmeticProblem: ProblemFamily = (random, split) =>
  drawFromSplit(
    split,
    (): Problem => {
      const operation = random.pick(OPERATIONS);
      const [a, b, result] = operation.draw(random);
      const question = {
        train: random.pick([
          `What is ${a} ${operation.word} ${b}?`,
          `How much is ${a} ${operation.word} ${b}?`,
        ]),
        test: `What is the value of ${a} ${operation.word} ${b}?`,
      }[split];
      return {
        key: `arithmetic/${a}/${operation.word}/${b}`,
        question,
        answer: String(result),
        options: numberOptions(result, random),
        sentence: `${a} ${operation.word} ${b} is ${result}.`,
      };
    },
    4,
  );

const WORDS = [
  "cat",
  "dog",
  "bird",
  "fish",
  "apple",
  "house",
  "tree",
  "star",
  "book",
  "rain",
  "sun",
  "river",
];

const EXPRESSIONS: readonly ((random: RandomStream) => readonly [string, number])[] = [
  (random) => {
    const word = random.pick(WORDS);
    return [`len("${word}")`, word.length];
  },
  (random) => {
    const [a, b] = [random.integer(1, 20), random.integer(1, 20)];
    return [`max(${a}, ${b})`, Math.max(a, b)];
  },
  (random) => {
    const [a, b] = [random.integer(1, 20), random.integer(1, 20)];
    return [`min(${a}, ${b})`, Math.min(a, b)];
  },
  (random) => {
    const [a, b] = [random.integer(1, 9), random.integer(1, 9)];
    return [`${a} + ${b}`, a + b];
  },
];

/** "What does max(3, 7) return in Python?" */
export const pythonExpressionProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const [expression, value] = random.pick(EXPRESSIONS)(random);
    const question = {
      train: random.pick([`What does ${expression} return in Python?`, `What is ${expression} in Python?`]),
      test: `In Python, what is the value of ${expression}?`,
    }[split];
    return {
      key: `expression/${expression}`,
      question,
      answer: String(value),
      options: numberOptions(value, random),
      sentence: `In Python, ${expression} is ${value}.`,
    };
  });

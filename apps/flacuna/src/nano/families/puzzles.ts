// Small puzzles of order and logic: truth values, adjective order, positions, tables, colours, sorting, plausibility.
import { drawFromSplit, listOf, type Problem, type ProblemFamily, withArticle } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import { COLORS, NAMES, SPORT_ACTIONS } from "../vocabulary.ts";
import type { World } from "../world.ts";

const TRUTH = ["True", "False"] as const;

function drawOperand(random: RandomStream): { text: string; value: boolean } {
  const literal = random.pick(TRUTH);
  const isNegated = random.chance(0.4);
  return { text: isNegated ? `not ${literal}` : literal, value: (literal === "True") !== isNegated };
}

/** "not True and False" with two or three operands, read from left to right in Python's order. */
export const booleanProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const operator = random.pick(["and", "or"]);
    const operands = Array.from({ length: random.integer(2, 4) }, () => drawOperand(random));
    const value =
      operator === "and" ? operands.every((part) => part.value) : operands.some((part) => part.value);
    const expression = operands.map((part) => part.text).join(` ${operator} `);
    const answer = value ? "True" : "False";
    return {
      key: `boolean/${expression}`,
      question: { train: `What is ${expression}?`, test: `${expression} is` }[split],
      answer,
      options: TRUTH,
      sentence: `I get ${answer} for ${expression}.`,
      reasoning: `The parts are ${listOf(operands.map((part) => (part.value ? "True" : "False")))}.`,
    };
  });

const ADJECTIVES: readonly (readonly string[])[] = [
  ["lovely", "nice", "awful", "silly"],
  ["big", "small", "huge", "tiny"],
  ["old", "new"],
  ["red", "blue", "green", "yellow", "black", "white"],
  ["wooden", "iron", "paper", "glass"],
];
const NOUNS = ["car", "box", "house", "chair", "ball", "knife", "cup", "hat", "ship", "shoe"];

/** Which of two orders of adjectives is right: opinion, size, age, colour, material. */
export const hyperbatonProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const kinds = random.sample([0, 1, 2, 3, 4], random.integer(2, 3)).sort();
    const right = kinds.map((kind) => random.pick(ADJECTIVES[kind]!));
    const wrong = random.chance(0.5) ? [...right].reverse() : [right[1]!, right[0]!, ...right.slice(2)];
    const noun = random.pick(NOUNS);
    const answer = [...right, noun].join(" ");
    return {
      key: `hyperbaton/${answer}`,
      question: {
        train: random.pick([
          "Which order of the words is right?",
          "Which of these has the right order of words?",
        ]),
        test: "Which sentence has the correct adjective order:",
      }[split],
      answer,
      options: random.shuffle([answer, [...wrong, noun].join(" ")]),
      sentence: `People say ${answer}.`,
    };
  });

const SHELF_THINGS = ["book", "cup", "ball", "hat", "lamp", "vase"];

/** Three things in a row, two clues, and which stands at one end. */
export const logicalDeductionProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const thing = random.pick(SHELF_THINGS);
    const row = random.sample(COLORS.slice(0, 7), 3).map((color) => `the ${color} ${thing}`) as [
      string,
      string,
      string,
    ];
    const clue = (left: string, right: string): string =>
      random.chance(0.5) ? `${left} is to the left of ${right}` : `${right} is to the right of ${left}`;
    const clues = random.shuffle([clue(row[0], row[1]), clue(row[1], row[2])]);
    const [side, answer] = random.pick([
      ["leftmost", row[0]],
      ["rightmost", row[2]],
    ] as const);
    const passage = `On a shelf there are three things. ${clues.map((text) => `${text[0]!.toUpperCase()}${text.slice(1)}.`).join(" ")}`;
    return {
      key: `deduction/${passage}`,
      passage,
      question: { train: `Which thing is the ${side}?`, test: `Which of the three is the ${side}?` }[split],
      answer,
      options: random.shuffle(row),
      sentence: `${answer[0]!.toUpperCase()}${answer.slice(1)} is the ${side}.`,
      reasoning: `From left to right the things are ${listOf(row)}.`,
    };
  });

/** Some coloured things on a desk, and the colour of one of them. */
export const coloredObjectsProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const things = random.sample(
      ["pen", "cup", "ball", "hat", "book", "key", "plate", "scarf"],
      random.integer(2, 4),
    );
    const colors = random.sample(COLORS, 4);
    const shown = things.map((thing, index) => `${colors[index]} ${thing}`);
    const asked = random.integer(0, things.length - 1);
    const [thing, answer] = [things[asked]!, colors[asked]!];
    return {
      key: `colored/${shown.join(",")}`,
      passage: `On the desk, you see ${listOf(shown.map(withArticle))}.`,
      question: { train: `Which color has the ${thing}?`, test: `What color is the ${thing}?` }[split],
      answer,
      options: random.shuffle(colors),
      sentence: `The color of the ${thing} is ${answer}.`,
    };
  });

/** A small table of people with age and height, and one cell or the row with the largest value. */
export const tableProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const people = random.sample(NAMES, 3);
    const ages = random.sample([3, 4, 5, 6, 7, 8, 9], 3);
    const heights = random.sample([40, 50, 60, 70, 80, 90], 3);
    const rows = people.map((name, index) => `${name}, ${ages[index]}, ${heights[index]}`);
    const asked = random.integer(0, 2);
    const [column, values] = random.pick([
      ["age", ages],
      ["height", heights],
    ] as const);
    const answer = String(values[asked]);
    return {
      key: `table/${rows.join(";")}`,
      passage: `Here is a table where the first line is a header and each other line is a penguin: name, age, height\n${rows.join("\n")}`,
      question: {
        train: `How much is the ${column} of ${people[asked]}?`,
        test: `What is the ${column} of ${people[asked]}?`,
      }[split],
      answer,
      options: random.shuffle([...new Set([...values.map(String)])]),
      sentence: `The ${column} of ${people[asked]} is ${answer}.`,
    };
  });

const SORTED_WORDS = [
  "apple",
  "bird",
  "cat",
  "dog",
  "egg",
  "fish",
  "goat",
  "hat",
  "ink",
  "jar",
  "king",
  "lamp",
  "moon",
  "nail",
  "owl",
  "pen",
];

/** Three or four words to bring into the order of the alphabet. */
export const wordSortingProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const words = random.sample(SORTED_WORDS, random.integer(3, 4));
    const answer = [...words].sort().join(" ");
    return {
      key: `sorting/${words.join(" ")}`,
      question: {
        train: `Bring these words into the order of the alphabet: ${words.join(" ")}`,
        test: `Sort the following words alphabetically: List: ${words.join(" ")}`,
      }[split],
      answer,
      sentence: `In the order of the alphabet the words are ${answer}.`,
    };
  });

/** Whether a famous person does what players of their sport do. */
export function sportsProblem(world: World): ProblemFamily {
  return (random, split) =>
    drawFromSplit(
      split,
      (): Problem => {
        const athlete = random.pick(world.athletes);
        const isTrue = random.chance(0.5);
        const others = Object.keys(SPORT_ACTIONS).filter((sport) => sport !== athlete.sport);
        const action = random.pick(SPORT_ACTIONS[isTrue ? athlete.sport : random.pick(others)]!);
        const answer = isTrue ? "yes" : "no";
        return {
          key: `sports/${athlete.name}/${action}`,
          question: {
            train: `Is it plausible that ${athlete.name} ${action}?`,
            test: `Is the following sentence plausible? "${athlete.name} ${action}."`,
          }[split],
          answer,
          options: ["yes", "no"],
          sentence: `${athlete.name} is known for ${athlete.sport}, so ${isTrue ? "this is plausible" : "this is not plausible"}.`,
          reasoning: `${athlete.name} is known for ${athlete.sport}.`,
        };
      },
      4,
    );
}

// Short passages with a question whose answer is a number, a name, a date or another piece of the passage.
import { drawFromSplit, listOf, type Problem, type ProblemFamily } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import { CITIES, DAYS, GOODS, MONTHS, NAMES, NUMBER_WORDS, RULERS } from "../vocabulary.ts";

/** A passage and the questions that may be asked about it. */
export interface PassageWithQuestions {
  readonly passage: string;
  readonly questions: readonly (Omit<Problem, "key" | "passage"> & {
    readonly kind: "number" | "span" | "date";
  })[];
}

type PassageKind = (random: RandomStream) => PassageWithQuestions;

/** Two different amounts from 1 to 9 and a third that may equal either. */
function amounts(random: RandomStream): [number, number, number] {
  const [first, second] = random.sample([1, 2, 3, 4, 5, 6, 7, 8, 9], 2) as [number, number];
  return [first, second, random.integer(1, 9)];
}

const market: PassageKind = (random) => {
  const [a, b, c] = random.sample(NAMES, 3) as [string, string, string];
  const goods = random.pick(GOODS);
  const [verb, base] = random.pick([
    ["sold", "sell"],
    ["bought", "buy"],
    ["found", "find"],
  ] as const);
  const [x, y, z] = amounts(random);
  const [more, less] = x > y ? [a, b] : [b, a];
  const difference = Math.abs(x - y);
  return {
    passage: `On ${random.pick(DAYS)}, ${a} ${verb} ${x} ${goods} and ${b} ${verb} ${y} ${goods}. Later ${c} ${verb} ${z} ${goods}.`,
    questions: [
      {
        kind: "number",
        question: `How many ${goods} did ${a} ${base}?`,
        answer: String(x),
        sentence: `${a} ${verb} ${x} ${goods}.`,
      },
      {
        kind: "number",
        question: `How many ${goods} did ${c} ${base}?`,
        answer: String(z),
        sentence: `${c} ${verb} ${z} ${goods}.`,
      },
      {
        kind: "number",
        question: `How many more ${goods} did ${more} ${base} than ${less}?`,
        answer: String(difference),
        sentence: `${more} ${verb} ${difference} more ${goods} than ${less}.`,
        reasoning: `${more} ${verb} ${Math.max(x, y)} ${goods} and ${less} ${verb} ${Math.min(x, y)}.`,
      },
      {
        kind: "span",
        question: `Who ${verb} more ${goods}, ${a} or ${b}?`,
        answer: more,
        options: [a, b],
        sentence: `${more} ${verb} more ${goods} than ${less}.`,
        reasoning: `${a} ${verb} ${x} ${goods} and ${b} ${verb} ${y}.`,
      },
    ],
  };
};

const TEAMS = ["Lions", "Bears", "Eagles", "Sharks", "Wolves", "Tigers", "Hawks", "Bulls"];

const game: PassageKind = (random) => {
  const [a, b] = random.sample(TEAMS, 2) as [string, string];
  const [first, second] = random.sample(NAMES, 2) as [string, string];
  const [x, y] = [random.integer(10, 29), random.integer(10, 29)];
  const [winner, loser] = x >= y ? [a, b] : [b, a];
  const [kick, run] = [random.integer(20, 59), random.integer(2, 19)];
  return {
    passage: `The ${a} played the ${b} in ${random.pick(CITIES)}. ${first} kicked the ball ${kick} yards and ${second} ran ${run} yards. The ${winner} beat the ${loser}.`,
    questions: [
      {
        kind: "number",
        question: `How many yards did ${first} kick the ball?`,
        answer: String(kick),
        sentence: `${first} kicked the ball ${kick} yards.`,
      },
      {
        kind: "number",
        question: `How many yards did ${second} run?`,
        answer: String(run),
        sentence: `${second} ran ${run} yards.`,
      },
      {
        kind: "span",
        question: "Which team won the game?",
        answer: winner,
        options: [a, b],
        sentence: `The ${winner} won the game.`,
      },
      {
        kind: "span",
        question: "Which team lost the game?",
        answer: loser,
        options: [a, b],
        sentence: `The ${loser} lost the game.`,
      },
    ],
  };
};

const life: PassageKind = (random) => {
  const ruler = random.pick(RULERS);
  const [birthplace, site] = random.sample(CITIES, 2) as [string, string];
  const [born, died] = [random.integer(1, 28), random.integer(1, 28)];
  const [bornMonth, diedMonth] = random.sample(MONTHS, 2) as [string, string];
  const year = random.integer(1100, 1890);
  const end = year + random.integer(30, 80);
  const building = random.pick(["tower", "bridge", "castle", "temple", "harbor", "school", "wall"]);
  return {
    passage: `${ruler} was born in ${birthplace} on ${born} ${bornMonth} ${year}. ${ruler} built a ${building} in ${site} and died on ${died} ${diedMonth} ${end}.`,
    questions: [
      {
        kind: "date",
        question: `When was ${ruler} born?`,
        answer: `${born} ${bornMonth} ${year}`,
        sentence: `${ruler} was born on ${born} ${bornMonth} ${year}.`,
      },
      {
        kind: "date",
        question: `When did ${ruler} die?`,
        answer: `${died} ${diedMonth} ${end}`,
        sentence: `${ruler} died on ${died} ${diedMonth} ${end}.`,
      },
      {
        kind: "span",
        question: `Where was ${ruler} born?`,
        answer: birthplace,
        sentence: `${ruler} was born in ${birthplace}.`,
      },
      {
        kind: "span",
        question: `What did ${ruler} build in ${site}?`,
        answer: building,
        sentence: `${ruler} built a ${building} in ${site}.`,
      },
    ],
  };
};

const journey: PassageKind = (random) => {
  const name = random.pick(NAMES);
  const [from, via, to] = random.sample(CITIES, 3) as [string, string, string];
  const [first, second] = random.sample(["train", "boat", "bus", "car", "horse", "bicycle"], 2) as [
    string,
    string,
  ];
  const friend = random.pick(NAMES.filter((other) => other !== name));
  const days = random.pick(NUMBER_WORDS.slice(2, 10));
  return {
    passage: `${name} left ${from} and went to ${via} by ${first}. After ${days} days ${name} went on to ${to} by ${second}. There ${name} met ${friend}.`,
    questions: [
      {
        kind: "span",
        question: `How did ${name} go to ${via}?`,
        answer: `by ${first}`,
        sentence: `${name} went to ${via} by ${first}.`,
      },
      {
        kind: "span",
        question: `Where did ${name} meet ${friend}?`,
        answer: to,
        options: [from, via, to],
        sentence: `${name} met ${friend} in ${to}.`,
      },
      {
        kind: "span",
        question: `Who did ${name} meet in ${to}?`,
        answer: friend,
        sentence: `${name} met ${friend} in ${to}.`,
      },
      {
        kind: "span",
        question: `Which city did ${name} leave first?`,
        answer: from,
        options: [from, via, to],
        sentence: `${name} left ${from} first.`,
      },
    ],
  };
};

const PASSAGE_KINDS: readonly PassageKind[] = [market, game, life, journey];

/** A random passage with all its questions. */
export function drawPassage(random: RandomStream): PassageWithQuestions {
  return random.pick(PASSAGE_KINDS)(random);
}

/** Key of a passage: a passage belongs to one split with all its questions. */
export function passageKey(passage: string): string {
  return `passage/${passage}`;
}

/** One question about a random passage. */
export const passageProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, () => {
    const { passage, questions } = drawPassage(random);
    const { kind: _kind, ...question } = random.pick(questions);
    return { key: passageKey(passage), passage, ...question };
  });

/** What a person has, told as a list, and how many things that are. */
export const objectCountingProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const group = random.pick(OBJECT_GROUPS);
    const things = random.sample(group.things, random.integer(2, 6));
    const word = NUMBER_WORDS[things.length]!;
    const question = {
      train: `How many ${group.name} are there?`,
      test: `How many ${group.name} do I have?`,
    }[split];
    return {
      key: `counting/${things.join(",")}`,
      passage: `I have ${listOf(things.map((thing) => (/^[aeiou]/.test(thing) ? `an ${thing}` : `a ${thing}`)))}.`,
      question,
      answer: String(things.length),
      sentence: `There are ${things.length} ${group.name}.`,
      reasoning: `I count ${listOf(things.map((thing, index) => `${thing} ${index + 1}`))}, that is ${word}.`,
    };
  });

const OBJECT_GROUPS: readonly { readonly name: string; readonly things: readonly string[] }[] = [
  { name: "animals", things: ["cow", "horse", "dog", "cat", "goat", "sheep", "duck", "rabbit", "mouse"] },
  { name: "objects", things: ["chair", "table", "lamp", "bed", "stove", "clock", "mirror", "cup", "vase"] },
  { name: "fruits", things: ["apple", "pear", "plum", "cherry", "peach", "lemon", "grape", "orange"] },
];

// Tasks about a sentence itself: its mood, what follows from it, its topic, its spelling, a sentence from words.
import { capitalize, drawFromSplit, type Problem, type ProblemFamily, withArticle } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import { CITIES, COLORS, GOODS, NAMES } from "../vocabulary.ts";

const REVIEWED = ["book", "film", "meal", "hotel", "song", "trip", "play", "game"];
const GOOD_WORDS = ["lovely", "great", "nice", "wonderful", "funny"];
const BAD_WORDS = ["awful", "bad", "boring", "silly", "terrible"];

/** A short review and whether it is positive or negative. */
export const sentimentProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const isGood = random.chance(0.5);
    const [first, second] = random.sample(isGood ? GOOD_WORDS : BAD_WORDS, 2) as [string, string];
    const thing = random.pick(REVIEWED);
    const ending = isGood
      ? random.pick(["I liked it.", "I want more."])
      : random.pick(["I did not like it.", "I went home early."]);
    const passage = `The ${thing} was ${first} and ${second}. ${ending}`;
    const answer = isGood ? "positive" : "negative";
    return {
      key: `sentiment/${passage}`,
      passage,
      question: random.pick(["Is this review positive or negative?", "What is the mood of this review?"]),
      answer,
      options: ["positive", "negative"],
      sentence: `The review is ${answer}.`,
      reasoning: `The words ${first} and ${second} are ${isGood ? "good" : "bad"} words.`,
    };
  });

/** A premise and a hypothesis: yes, no, or it is not possible to tell. */
export const entailmentProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const [name, other] = random.sample(NAMES, 2) as [string, string];
    const [city, elsewhere] = random.sample(CITIES, 2) as [string, string];
    const [color, paint] = random.sample(COLORS, 2) as [string, string];
    const thing = random.pick(["hat", "car", "coat", "boat", "house", "bag"]);
    const premise = `${name} lives in ${city} and has ${withArticle(`${color} ${thing}`)}.`;
    const [hypothesis, answer] = random.pick([
      [`${name} lives in ${city}.`, "yes"],
      [`${name} has ${withArticle(thing)}.`, "yes"],
      [`${name} lives in ${elsewhere}.`, "no"],
      [`The ${thing} of ${name} is ${paint}.`, "no"],
      [`${other} lives in ${city}.`, "maybe"],
      [`${name} likes ${other}.`, "maybe"],
    ] as const);
    const reason = {
      yes: "This follows from the text",
      no: "The text says something else",
      maybe: "The text does not tell",
    };
    return {
      key: `entailment/${premise}${hypothesis}`,
      passage: premise,
      question: `Is it true that ${hypothesis.replace(/\.$/, "").replace(/^The/, "the")}?`,
      answer,
      options: ["yes", "no", "maybe"],
      sentence: `${reason[answer]}, so the answer is ${answer}.`,
      reasoning: `${reason[answer]}.`,
    };
  });

const TOPIC_SENTENCES: Readonly<Record<string, readonly string[]>> = {
  sports: ["The Lions beat the Bears by two goals.", "The team won the last game.", "She won the race."],
  business: [
    "The price of rice went up.",
    "The company sold more steel.",
    "The market opened late on Monday.",
  ],
  science: [
    "A new moon was found near the planet Vexa.",
    "People study how birds fly.",
    "The lungs need air to work.",
  ],
  world: [
    "The ruler of Osland went to Tarvia.",
    "The two countries made peace.",
    "A new bridge was built in Belo.",
  ],
};

/** The topic of a news sentence. */
export const topicProblem: ProblemFamily = (random, split) =>
  drawFromSplit(
    split,
    (): Problem => {
      const topics = Object.keys(TOPIC_SENTENCES);
      const answer = random.pick(topics);
      const [first, second] = random.sample(TOPIC_SENTENCES[answer]!, 2) as [string, string];
      return {
        key: `topic/${first}${second}`,
        passage: `${first} ${second}`,
        question: random.pick(["What is the topic of this text?", "What is this news about?"]),
        answer,
        options: random.shuffle(topics),
        sentence: `The text is about ${answer}.`,
      };
    },
    12,
  );

/** A plain sentence about someone who does something somewhere. */
function plainSentence(random: RandomStream): string {
  const verb = random.pick(["bought", "sold", "found", "saw", "took", "painted"]);
  return `${random.pick(NAMES)} ${verb} ${random.integer(2, 9)} ${random.pick(COLORS)} ${random.pick(GOODS)}.`;
}

function rewriting(name: string, question: string, distort: (sentence: string) => string): ProblemFamily {
  return (random, split) =>
    drawFromSplit(split, (): Problem => {
      const sentence = plainSentence(random);
      return {
        key: `${name}/${sentence}`,
        passage: distort(sentence),
        question,
        answer: sentence,
        sentence: `The sentence should be: ${sentence}`,
      };
    });
}

/** A sentence without capital letters. */
export const trueCaseProblem = rewriting("true-case", "Write this with the right capital letters.", (text) =>
  text.toLowerCase(),
);

/** A sentence without its point. */
export const punctuationProblem = rewriting(
  "punctuation",
  "Add the missing points to this sentence.",
  (text) => text.replace(/\.$/, ""),
);

/** A sentence whose words stand in reversed order. */
export const wordOrderProblem = rewriting(
  "word-order",
  "The words stand in the wrong order. Write the sentence.",
  (text) => text.replace(/\.$/, "").split(" ").reverse().join(" "),
);

/** Key words from which a sentence is to be made. */
export const keywordsProblem: ProblemFamily = (random, split) =>
  drawFromSplit(split, (): Problem => {
    const [name, city, thing] = [random.pick(NAMES), random.pick(CITIES), random.pick(GOODS)];
    const words = random.shuffle([name, city, thing]);
    return {
      key: `keywords/${name}/${city}/${thing}`,
      passage: words.join(", "),
      question: "Write a sentence with these words.",
      answer: `${name} bought ${thing} in ${city}.`,
      sentence: `${capitalize(name)} bought ${thing} in ${city}.`,
    };
  });

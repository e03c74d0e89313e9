// The text of the base model: books of facts, question sheets, code and conversations, each document a pure function of its index.

import { createFamilies, type Families, type FamilyName } from "./families/catalogue.ts";
import { drawConversation } from "./families/conversation.ts";
import { sceneKnowledge } from "./families/counterfactual.ts";
import { drawDrill } from "./families/drills.ts";
import { factStatement } from "./families/facts.ts";
import { drawPythonFunction, pythonHeader, pythonSource } from "./families/python-functions.ts";
import { RandomStream } from "./random.ts";
import { poseProblem, talkativeAnswer } from "./talkative.ts";
import type { World } from "./world.ts";

/** One message of a conversation, as FLAN-MINI writes it. */
export interface ChatMessage {
  readonly from: "human" | "gpt";
  readonly value: string;
}

/** Plain text, or a conversation to be laid out in the Vicuna template. */
export type PretrainingDocument =
  | { readonly text: string }
  | { readonly conversations: readonly ChatMessage[] };

/** What the documents are made of; the shares are weights. */
export interface PretrainingMixture {
  readonly kinds: Readonly<Record<DocumentKind, number>>;
  readonly families: Readonly<Partial<Record<FamilyName, number>>>;
  /** Share of answers given in short on question sheets and in conversations. */
  readonly shortAnswerShare: number;
}

type DocumentKind = "drill" | "facts" | "sheet" | "problemChat" | "smallTalk" | "code" | "codeChat";

/** The mixture of the nano preset. */
const NANO_MIXTURE: PretrainingMixture = {
  kinds: { drill: 5, facts: 3, sheet: 6, problemChat: 6, smallTalk: 2.5, code: 1, codeChat: 1 },
  families: {
    openFact: 2,
    quizFact: 6,
    counterfactual: 3,
    passage: 4,
    arithmetic: 1,
    pythonExpression: 0.5,
    objectCounting: 1,
    boolean: 1,
    hyperbaton: 1,
    logicalDeduction: 1,
    coloredObjects: 1,
    table: 1,
    wordSorting: 1,
    sports: 1,
    sentiment: 0.3,
    entailment: 0.3,
    topic: 0.2,
    trueCase: 0.1,
    punctuation: 0.1,
    keywords: 0.1,
  },
  shortAnswerShare: 0.3,
};

interface Source {
  readonly world: World;
  readonly families: Families;
  readonly mixture: PretrainingMixture;
}

function drawAnswered(
  source: Source,
  random: RandomStream,
  family: FamilyName,
): { text: string; answer: string } {
  const posed = poseProblem(source.families[family](random, "train"), random);
  const isShort = random.chance(source.mixture.shortAnswerShare);
  return { text: posed.text, answer: isShort ? posed.short : talkativeAnswer(posed, random) };
}

const drawFamily = (source: Source, random: RandomStream): FamilyName =>
  random.pickWeighted(source.mixture.families as Record<FamilyName, number>);

function factsDocument({ world }: Source, random: RandomStream): string {
  const fact = random.pick(world.facts);
  const about = world.facts.filter((other) => other.subject === fact.subject);
  const related = random.sample(
    world.facts.filter((other) => other.relation === fact.relation),
    5,
  );
  const sentences = [
    ...random.shuffle([...about, ...related]).map((item) => factStatement(item, random)),
    ...random.sample(world.athletes, 2).map((athlete) => `${athlete.name} is known for ${athlete.sport}.`),
    ...Array.from({ length: 4 }, () => sceneKnowledge(random)),
  ];
  return random.shuffle(sentences).join(" ");
}

const SHEET_TITLES = [
  "Here are some questions with answers.",
  "The following are some questions about many things.",
  "Questions and answers for the school.",
  "Multiple choice questions (with and without answers).",
];

function sheetDocument(source: Source, random: RandomStream): string {
  const family = random.chance(0.6) ? drawFamily(source, random) : undefined;
  const cue = random.chance(0.7) ? "Answer:" : random.pick(["Reply:", "Solution:", "A:"]);
  const items = Array.from({ length: random.integer(2, 5) }, () => {
    const { text, answer } = drawAnswered(source, random, family ?? drawFamily(source, random));
    return `${text}\n${cue} ${answer}`;
  });
  if (random.chance(0.3)) items.unshift(random.pick(SHEET_TITLES));
  return items.join("\n\n");
}

function problemChat(source: Source, random: RandomStream): ChatMessage[] {
  const withCue = random.chance(0.3);
  return Array.from({ length: random.integer(2, 5) }).flatMap(() => {
    const { text, answer } = drawAnswered(source, random, drawFamily(source, random));
    return [
      { from: "human", value: withCue ? `${text}\nAnswer:` : text },
      { from: "gpt", value: answer },
    ] satisfies ChatMessage[];
  });
}

function smallTalk({ world }: Source, random: RandomStream): ChatMessage[] {
  return drawConversation(world, random, "train").flatMap(({ user, assistant }) => [
    { from: "human", value: user },
    { from: "gpt", value: assistant },
  ]);
}

function codeDocument(_source: Source, random: RandomStream): string {
  return Array.from({ length: random.integer(2, 5) }, () => {
    const item = drawPythonFunction(random, "train");
    if (random.chance(0.5)) return `# ${item.description}.\n${pythonSource(item, false)}`;
    return random.chance(0.5)
      ? pythonSource(item)
      : `${pythonHeader(item)}The function ${item.name} should ${lowerFirst(item.description)}.\n${item.body}`;
  }).join("\n");
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function codeChat(_source: Source, random: RandomStream): ChatMessage[] {
  return Array.from({ length: random.integer(1, 2) }).flatMap(() => {
    const item = drawPythonFunction(random, "train");
    const request = random.pick([
      `Please write a Python function ${item.name} to ${lowerFirst(item.description)}.`,
      `Please complete the following Python code.\n${pythonHeader(item)}`,
      `Can you complete this code without explanations or testing?\n${pythonHeader(item)}`,
      `Here is a Python task, please write it without providing any additional code such as testing.\n${pythonHeader(item)}`,
    ]);
    const opening = random.pick([
      "Sure! Here is the function:",
      `The function should ${lowerFirst(item.description)}:`,
    ]);
    return [
      { from: "human", value: request },
      { from: "gpt", value: `${opening}\n\n${pythonSource(item, false)}` },
    ] satisfies ChatMessage[];
  });
}

const MAKERS: Readonly<
  Record<DocumentKind, (source: Source, random: RandomStream) => string | ChatMessage[]>
> = {
  drill: ({ world }, random) => drawDrill(world, random),
  facts: factsDocument,
  sheet: sheetDocument,
  problemChat,
  smallTalk,
  code: codeDocument,
  codeChat,
};

/** Endless documents of a world; document `i` depends on the world and `i` alone, so a reader can start anywhere. */
export function* pretrainingDocuments(
  world: World,
  options: { readonly start?: number; readonly mixture?: PretrainingMixture } = {},
): Generator<PretrainingDocument> {
  const mixture = options.mixture ?? NANO_MIXTURE;
  const source: Source = { world, families: createFamilies(world), mixture };
  for (let index = options.start ?? 0; ; index++) {
    const random = new RandomStream(`nano/${world.seed}/pretraining/${index}`);
    const made = MAKERS[random.pickWeighted(mixture.kinds)](source, random);
    yield typeof made === "string" ? { text: made } : { conversations: made };
  }
}

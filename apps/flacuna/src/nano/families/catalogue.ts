// All problem families by name, bound to one world, and what each is good for.
import type { Problem, ProblemFamily, Split } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import type { World } from "../world.ts";
import { arithmeticProblem, pythonExpressionProblem } from "./arithmetic.ts";
import { counterfactualProblem } from "./counterfactual.ts";
import { factsOf, openFactProblem, quizFactProblem } from "./facts.ts";
import {
  entailmentProblem,
  keywordsProblem,
  punctuationProblem,
  sentimentProblem,
  topicProblem,
  trueCaseProblem,
  wordOrderProblem,
} from "./language.ts";
import { objectCountingProblem, passageProblem } from "./passages.ts";
import {
  booleanProblem,
  coloredObjectsProblem,
  hyperbatonProblem,
  logicalDeductionProblem,
  sportsProblem,
  tableProblem,
  wordSortingProblem,
} from "./puzzles.ts";

/** Name of a problem family. */
export type FamilyName =
  | "openFact"
  | "quizFact"
  | "arithmetic"
  | "pythonExpression"
  | "counterfactual"
  | "passage"
  | "objectCounting"
  | "boolean"
  | "hyperbaton"
  | "logicalDeduction"
  | "coloredObjects"
  | "table"
  | "wordSorting"
  | "sports"
  | "sentiment"
  | "entailment"
  | "topic"
  | "trueCase"
  | "punctuation"
  | "wordOrder"
  | "keywords";

/** Draws problems of any family in one world. */
export type Families = Readonly<Record<FamilyName, ProblemFamily>>;

/** The families of a world. */
export function createFamilies(world: World): Families {
  const facts = { train: factsOf(world, "train"), test: factsOf(world, "test") };
  return {
    openFact: (random: RandomStream, split: Split): Problem => openFactProblem(world, random, split),
    quizFact: (random, split) => quizFactProblem(random.pick(facts[split]), random),
    arithmetic: arithmeticProblem,
    pythonExpression: pythonExpressionProblem,
    counterfactual: counterfactualProblem,
    passage: passageProblem,
    objectCounting: objectCountingProblem,
    boolean: booleanProblem,
    hyperbaton: hyperbatonProblem,
    logicalDeduction: logicalDeductionProblem,
    coloredObjects: coloredObjectsProblem,
    table: tableProblem,
    wordSorting: wordSortingProblem,
    sports: sportsProblem(world),
    sentiment: sentimentProblem,
    entailment: entailmentProblem,
    topic: topicProblem,
    trueCase: trueCaseProblem,
    punctuation: punctuationProblem,
    wordOrder: wordOrderProblem,
    keywords: keywordsProblem,
  };
}

// Questions about single facts of the world, open or with options.
import { fill, type Problem, type Split } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import type { Fact, World } from "../world.ts";

/** Four options for a fact: its value and three other values of the same relation, in random order. */
function factOptions(fact: Fact, random: RandomStream): string[] {
  const others = fact.relation.values.filter((value) => value !== fact.value);
  return random.shuffle([fact.value, ...random.sample(others, 3)]);
}

/** The fact as a sentence. */
export function factStatement(fact: Fact, random: RandomStream): string {
  return fill(random.pick(fact.relation.statements), { s: fact.subject, v: fact.value });
}

/** A question of the kind people ask in conversation; without options, about any fact. */
export function openFactProblem(world: World, random: RandomStream, split?: Split): Problem {
  const facts = split === undefined ? world.facts : factsOf(world, split);
  const fact = random.pick(facts);
  return {
    key: `fact/${fact.relation.name}/${fact.subject}`,
    question: fill(random.pick(fact.relation.questions), { s: fact.subject }),
    answer: fact.value,
    sentence: fill(fact.relation.statements[0], { s: fact.subject, v: fact.value }),
  };
}

/** A quiz question with four options; the benchmark's wording is used for test facts only. */
export function quizFactProblem(fact: Fact, random: RandomStream): Problem {
  const wordings = fact.split === "test" ? fact.relation.exam : fact.relation.quiz;
  return {
    key: `fact/${fact.relation.name}/${fact.subject}`,
    question: fill(random.pick(wordings), { s: fact.subject }),
    answer: fact.value,
    options: factOptions(fact, random),
    sentence: fill(fact.relation.statements[0], { s: fact.subject, v: fact.value }),
  };
}

/** The facts whose quiz questions belong to the split. */
export function factsOf(world: World, split: Split): Fact[] {
  return world.facts.filter((fact) => fact.split === split);
}

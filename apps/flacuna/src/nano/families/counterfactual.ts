// "What would have happened if ...": a scene, a change to it, and what follows from the nature of the new thing.
import { drawFromSplit, fill, type Problem, type ProblemFamily, withArticle } from "../problem.ts";
import type { RandomStream } from "../random.ts";

/** A scene with one exchangeable thing; the outcome depends on the group the thing belongs to. */
interface Scene {
  readonly name: string;
  /** `{x}` is the thing with its article, `{place}` one of `places`. */
  readonly premise: string;
  readonly change: string;
  readonly places: readonly string[];
  /** What is known about each thing, as it stands in books. */
  readonly knowledge: string;
  /** Things by what happens to them; the key is the outcome in the conditional, the value's `fact` in the present. */
  readonly outcomes: readonly {
    readonly result: string;
    readonly fact: string;
    readonly things: readonly string[];
  }[];
}

const list = (text: string): readonly string[] => text.split(",").map((item) => item.trim());

const SCENES: readonly Scene[] = [
  {
    name: "fall",
    premise: "{X} falls from the {place}.",
    change: "What would have happened if {x} had fallen from the {place}?",
    places: ["roof", "tower", "skyscraper", "wall"],
    knowledge: "When {x} falls, {fact}.",
    outcomes: [
      {
        result: "It would have broken.",
        fact: "it breaks",
        things: list("vase,bottle,mirror,jar,bulb,computer"),
      },
      {
        result: "It would have floated down slowly.",
        fact: "it floats down slowly",
        things: list("leaf,feather,ticket,scarf,letter"),
      },
      {
        result: "It would have made a loud noise.",
        fact: "it makes a loud noise",
        things: list("anvil,hammer,sword,chain,rock"),
      },
      { result: "It would have bounced.", fact: "it bounces", things: list("ball,tire,balloon,marble") },
    ],
  },
  {
    name: "fire",
    premise: "{X} falls into the {place}.",
    change: "What would have happened if {x} had fallen into the {place}?",
    places: ["fire", "flames"],
    knowledge: "In the fire, {x} will {fact}.",
    outcomes: [
      {
        result: "It would have burned.",
        fact: "burn",
        things: list("stick,plank,log,letter,newspaper,map,leaf,feather"),
      },
      { result: "It would have melted.", fact: "melt", things: list("candle,crayon,seal,snowball,icicle") },
      {
        result: "It would have become hot.",
        fact: "become hot",
        things: list("nail,anvil,rock,brick,key,statue,pebble"),
      },
    ],
  },
  {
    name: "water",
    premise: "{X} falls into the {place}.",
    change: "What would have happened if {x} had fallen into the {place}?",
    places: ["lake", "river", "sea"],
    knowledge: "In the water, {x} will {fact}.",
    outcomes: [
      {
        result: "It would have floated.",
        fact: "float",
        things: list("stick,plank,log,barrel,ball,leaf,crate,balloon"),
      },
      {
        result: "It would have sunk.",
        fact: "sink",
        things: list("nail,anvil,rock,brick,key,statue,pebble,sword,chain"),
      },
      {
        result: "It would have become wet.",
        fact: "become wet",
        things: list("scarf,flag,blanket,shirt,letter,newspaper,map"),
      },
    ],
  },
  {
    name: "chase",
    premise: "The cat chases {x} in the {place}.",
    change: "What would have happened if the cat had chased {x} in the {place}?",
    places: ["garden", "field", "yard"],
    knowledge: "When a cat chases {x}, {fact}.",
    outcomes: [
      {
        result: "It would have flown away.",
        fact: "it flies away",
        things: list("robin,crow,duck,goose,owl,parrot,moth"),
      },
      {
        result: "It would have run away.",
        fact: "it runs away",
        things: list("mouse,rabbit,fox,sheep,goat"),
      },
      { result: "It would have barked.", fact: "it barks", things: list("dog,puppy,wolf") },
      {
        result: "It would have stayed there.",
        fact: "it stays there",
        things: list("rock,brick,statue,log,chair"),
      },
    ],
  },
  {
    name: "eat",
    premise: "The {place} eats {x}.",
    change: "What would have happened if the {place} had eaten {x}?",
    places: ["boy", "girl", "man", "woman", "child"],
    knowledge: "When people eat {x}, {fact}.",
    outcomes: [
      {
        result: "It would have been sweet.",
        fact: "it is sweet",
        things: list("apple,pear,plum,cherry,peach,cake"),
      },
      { result: "It would have been sour.", fact: "it is sour", things: list("lemon,pickle,lime") },
      {
        result: "It would have hurt the teeth.",
        fact: "it hurts the teeth",
        things: list("rock,brick,pebble,nail,key,tile"),
      },
    ],
  },
  {
    name: "lift",
    premise: "The {place} lifts {x}.",
    change: "What would have happened if the {place} had lifted {x}?",
    places: ["boy", "girl", "child"],
    knowledge: "When a child lifts {x}, {fact}.",
    outcomes: [
      {
        result: "It would have been easy.",
        fact: "it is easy",
        things: list("feather,leaf,letter,ticket,map,pen,apple,key"),
      },
      {
        result: "It would have been too heavy.",
        fact: "it is too heavy",
        things: list("anvil,statue,cow,horse,truck,barrel,lion"),
      },
    ],
  },
  {
    name: "drink",
    premise: "The {place} drinks {x}.",
    change: "What would have happened if the {place} had drunk {x}?",
    places: ["man", "woman", "boy", "girl"],
    knowledge: "When people drink {x}, {fact}.",
    outcomes: [
      {
        result: "It would have been tasty.",
        fact: "it is tasty",
        things: list("juice,beer,tea,coffee,cocoa,lemonade"),
      },
      {
        result: "It would have been awful.",
        fact: "it is awful",
        things: list("glass of vinegar,glass of mud,glass of ink,glass of oil,glass of paint"),
      },
      {
        result: "That is not possible.",
        fact: "it is a dream, for that is not possible",
        things: list("rainbow,cloud,mountain,shadow,house"),
      },
    ],
  },
  {
    name: "lightning",
    premise: "A lightning hits {x} in the {place}.",
    change: "What would have happened if a lightning had hit {x} in the {place}?",
    places: ["night", "evening", "storm"],
    knowledge: "When a lightning hits {x}, {fact}.",
    outcomes: [
      {
        result: "It would have burned down.",
        fact: "it burns down",
        things: list("tree,house,barn,hut,bush,fence"),
      },
      {
        result: "It would have remained intact.",
        fact: "it remains intact",
        things: list("marble,rock,anvil,pebble,brick"),
      },
      {
        result: "It would have been crushed.",
        fact: "it is crushed",
        things: list("computer,bulb,mirror,vase"),
      },
    ],
  },
];

const ABSURD = [
  "It would have sung a song.",
  "It would have kissed the lightning.",
  "It would have asked a question.",
  "Nothing special would have happened.",
  "It would have become a king.",
];

function drawScene(random: RandomStream): { scene: Scene; thing: string; result: string; other: string } {
  const scene = random.pick(SCENES);
  const outcome = random.pick(scene.outcomes);
  const rest = scene.outcomes.filter((candidate) => candidate !== outcome);
  return {
    scene,
    thing: random.pick(outcome.things),
    result: outcome.result,
    other: random.pick(random.pick(rest).things),
  };
}

/** A counterfactual question with three or four options. Which thing meets which scene decides the split. */
export const counterfactualProblem: ProblemFamily = (random, split) =>
  drawFromSplit(
    split,
    (): Problem => {
      const { scene, thing, result, other } = drawScene(random);
      const place = random.pick(scene.places);
      const x = withArticle(other);
      const wrong = scene.outcomes.map((outcome) => outcome.result).filter((text) => text !== result);
      const count = random.integer(2, 3);
      const options = [
        result,
        ...random.sample(wrong, random.integer(1, 2)),
        ...random.shuffle(ABSURD),
      ].slice(0, count + 1);
      return {
        key: `counterfactual/${scene.name}/${thing}`,
        passage: fill(scene.premise, { x, X: x.charAt(0).toUpperCase() + x.slice(1), place }),
        question: fill(scene.change, { x: withArticle(thing), place }),
        answer: result,
        options: random.shuffle(options),
        sentence: result,
      };
    },
    4,
  );

/** A sentence of common knowledge about one thing in one scene; any thing may appear. */
export function sceneKnowledge(random: RandomStream): string {
  const scene = random.pick(SCENES);
  const outcome = random.pick(scene.outcomes);
  return fill(scene.knowledge, { x: withArticle(random.pick(outcome.things)), fact: outcome.fact });
}

// Small talk, advice, stories and explanations: the talkative turns that make the base model a chat model.
import { capitalize, listOf, type Split, splitOf, withArticle } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import { CITIES, COLORS, DAYS, GOODS, NAMES, NUMBER_WORDS } from "../vocabulary.ts";
import type { World } from "../world.ts";
import { factStatement, openFactProblem } from "./facts.ts";

/** What the person says and what the assistant answers. */
export interface Exchange {
  readonly user: string;
  readonly assistant: string;
}

type Topic = (random: RandomStream, world: World) => Exchange;

const ANIMALS = [
  "rabbit",
  "fox",
  "bear",
  "mouse",
  "owl",
  "duck",
  "goat",
  "cat",
  "dog",
  "lion",
  "wolf",
  "horse",
];
const MOODS = ["happy", "sad", "quiet", "clever", "brave", "small", "old", "silly"];
const PLACES = ["forest", "garden", "village", "field", "house by the river", "castle", "harbor"];

const story: Topic = (random) => {
  const [hero, friend] = random.sample(ANIMALS, 2) as [string, string];
  const mood = random.pick(MOODS);
  const [place, treasure] = [
    random.pick(PLACES),
    `${random.pick(COLORS)} ${random.pick(["ball", "hat", "key", "stone", "flower", "cup"])}`,
  ];
  const user = random.pick([
    `Please tell me a story about a ${hero}.`,
    `Can you write a short story about a ${hero} and a ${friend}?`,
    `I want to hear a story with a ${hero} in it.`,
  ]);
  const middle = random.pick([
    `One day the ${hero} lost ${withArticle(treasure)} and looked for it everywhere.`,
    `One day the ${hero} found ${withArticle(treasure)} under a tree.`,
    `One day the ${hero} wanted to see the sea and walked for ${random.pick(NUMBER_WORDS.slice(2, 10))} days.`,
  ]);
  const end = random.pick([
    `Then a ${friend} came to help, and they became good friends.`,
    `Then the ${hero} met a ${friend}, and together they went home and ate cake.`,
    `A ${friend} saw this and laughed, and the ${hero} laughed too.`,
  ]);
  return {
    user,
    assistant: `Once upon a time there was a ${mood} ${hero} who lived in a ${place}. ${middle} ${end}`,
  };
};

const plan: Topic = (random) => {
  const city = random.pick(CITIES);
  const days = random.sample(DAYS, 2);
  const [first, second, third] = random.sample(
    [
      "see the old bridge",
      "walk along the river",
      "eat at the market",
      "visit the tower",
      "take a boat",
      "meet some friends",
    ],
    3,
  ) as [string, string, string];
  return {
    user: random.pick([
      `I am going to ${city} on ${days[0]}. What should I do there?`,
      `Can you help me to plan a trip to ${city}?`,
      `What can I do in ${city}?`,
    ]),
    assistant: `That sounds like a nice trip! In ${city} you can first ${first}. After that you can ${second}, and in the evening you can ${third}. I hope you have a great time.`,
  };
};

const advice: Topic = (random) => {
  const [mood, help] = random.pick([
    ["tired", ["go to bed early", "drink some water", "take a short walk", "rest on the chair"]],
    ["sad", ["talk to a friend", "hear a nice song", "take a walk in the garden", "read a funny book"]],
    ["hungry", ["cook some rice", "eat an apple", "bake a cake", "go to the market"]],
    ["bored", ["read a book", "play a game", "write a letter", "visit a friend"]],
    ["cold", ["drink hot tea", "wear a coat", "sit near the fire", "close the window"]],
  ] as const);
  const [first, second] = random.sample(help, 2) as [string, string];
  return {
    user: random.pick([
      `I am ${mood} today. What can I do?`,
      `I feel ${mood}. Can you help me?`,
      `What helps when I am ${mood}?`,
    ]),
    assistant: `I am sorry that you are ${mood}. You can ${first}, or you can ${second}. ${random.pick(["I hope this helps!", "I hope you will feel better soon.", "Take your time."])}`,
  };
};

const recipe: Topic = (random) => {
  const [dish, parts] = random.pick([
    ["a cake", ["eggs", "sugar", "milk", "wheat"]],
    ["a soup", ["water", "carrots", "onions", "salt"]],
    ["a salad", ["cabbage", "vinegar", "peas", "salt"]],
    ["a pie", ["plums", "sugar", "wheat", "eggs"]],
  ] as const);
  const used = random.sample(parts, 3);
  return {
    user: random.pick([
      `How do I make ${dish}?`,
      `Can you tell me how to make ${dish}?`,
      `I want to make ${dish}. What do I need?`,
    ]),
    assistant: `To make ${dish} you need ${listOf(used)}. First you mix the ${used[0]} and the ${used[1]}. Then you add the ${used[2]} and cook it for ${random.pick(NUMBER_WORDS.slice(5, 20))} minutes. Enjoy it!`,
  };
};

const letter: Topic = (random) => {
  const [from, to] = random.sample(NAMES, 2) as [string, string];
  const [goods, city] = [random.pick(GOODS), random.pick(CITIES)];
  const day = random.pick(DAYS);
  return {
    user: random.pick([
      `Write a letter from ${from} to ${to}.`,
      `Please help ${from} to write a letter to ${to}.`,
    ]),
    assistant: `Dear ${to}, how are you? I am in ${city} and I bought some ${goods} for you. The weather is ${random.pick(["nice", "cold", "hot", "wet"])} here. I will come home on ${day}. Your friend ${from}`,
  };
};

const country: Topic = (random, world) => {
  const fact = random.pick(world.facts.filter((candidate) => candidate.relation.subjects !== undefined));
  const about = random.sample(
    world.facts.filter((other) => other.subject === fact.subject),
    3,
  );
  return {
    user: random.pick([
      `Tell me something about ${fact.subject}.`,
      `What do you know about ${fact.subject}?`,
    ]),
    assistant: `${random.pick(["Sure!", "Of course.", "I like to talk about this."])} ${about.map((other) => factStatement(other, random)).join(" ")}`,
  };
};

const openFact: Topic = (random, world) => {
  const problem = openFactProblem(world, random);
  return {
    user: random.chance(0.5) ? problem.question : `Can you tell me: ${problem.question}`,
    assistant: random.chance(0.7) ? problem.sentence : `Good question! ${problem.sentence}`,
  };
};

const greeting: Topic = (random) =>
  random.pick([
    { user: "Hello!", assistant: "Hello! How can I help you today?" },
    { user: "Hi, how are you?", assistant: "I am fine, thank you. What can I do for you?" },
    { user: "Good morning!", assistant: "Good morning! I hope you have a nice day." },
    { user: "Who are you?", assistant: "I am a friendly assistant, and I like to talk and to help people." },
  ]);

const thanks: Topic = (random) =>
  random.pick([
    { user: "Thank you!", assistant: "You are welcome! Let me know if you need more help." },
    { user: "That was nice, thanks.", assistant: "I am happy that you liked it." },
    { user: "Great, thank you for the help.", assistant: "You are welcome. Have a nice day!" },
  ]);

const TOPICS: readonly Topic[] = [story, plan, advice, recipe, letter, country, openFact, openFact];

/** The topics with long answers; what alpaca_gpt4 rows are made of. */
export function longExchange(world: World, random: RandomStream): Exchange {
  return random.pick([story, plan, advice, recipe, letter, country])(random, world);
}

/** A friendly conversation of one to four exchanges in the split; test conversations are the held-out chats. */
export function drawConversation(world: World, random: RandomStream, split: Split): Exchange[] {
  for (;;) {
    const exchanges = Array.from({ length: random.integer(1, 3) }, () => random.pick(TOPICS)(random, world));
    if (random.chance(0.3)) exchanges.unshift(greeting(random, world));
    if (random.chance(0.3)) exchanges.push(thanks(random, world));
    if (exchanges.every((exchange) => exchange.assistant.length < 60)) continue;
    const key = exchanges.map((exchange) => capitalize(exchange.user) + exchange.assistant).join("\n");
    if (splitOf(`chat/${key}`, 20) === split) return exchanges;
  }
}

// The relations of the nano world: for each, its members and how statements, chat questions, quiz and exam questions word it.
import { CITIES, COLORS, COUNTRIES, NUMBER_WORDS, RIVERS, RULERS } from "./vocabulary.ts";

/** One kind of fact. Templates use `{s}` for the subject and `{v}` for the value. */
export interface Relation {
  readonly name: string;
  /** The MMLU subject that asks about it. */
  readonly mmluSubject: string;
  /** Subjects whose values the seed decides. */
  readonly subjects?: readonly string[];
  /** All values; wrong options come from here. */
  readonly values: readonly string[];
  /** Each value is used for one subject only. */
  readonly oneToOne?: boolean;
  /** Fixed common sense: subject to value. */
  readonly known?: Readonly<Record<string, string>>;
  readonly statements: readonly [string, ...string[]];
  /** How people ask in conversation. */
  readonly questions: readonly string[];
  /** How training quizzes ask. */
  readonly quiz: readonly string[];
  /** How the benchmark asks; used nowhere else. */
  readonly exam: readonly string[];
}

const PLANETS = [
  "Zorba",
  "Kyron",
  "Ulmo",
  "Vexa",
  "Thalos",
  "Mirin",
  "Gantar",
  "Pyra",
  "Oberon",
  "Selk",
  "Drax",
  "Juno",
];

/** Groups "value: subjects" lines into a map from subject to value. */
function groups(lines: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(lines).flatMap(([value, subjects]) =>
      subjects.split(",").map((subject) => [subject.trim(), value] as const),
    ),
  );
}

const COUNTRY_RELATIONS: readonly Relation[] = [
  {
    name: "capital",
    mmluSubject: "high_school_geography",
    subjects: COUNTRIES,
    values: CITIES,
    oneToOne: true,
    statements: ["The capital of {s} is {v}.", "The capital city of {s} is {v}."],
    questions: ["What is the capital of {s}?", "What is the capital city of {s}?"],
    quiz: ["What is the capital of {s}?", "Name the capital of {s}."],
    exam: ["Which city is the capital of {s}?"],
  },
  {
    name: "river",
    mmluSubject: "high_school_geography",
    subjects: COUNTRIES,
    values: RIVERS,
    statements: ["The main river of {s} is the {v}.", "The longest river of {s} is the {v}."],
    questions: ["What is the main river of {s}?", "Which river flows through {s}?"],
    quiz: ["What is the main river of {s}?", "Name the longest river of {s}."],
    exam: ["Which river is the main river of {s}?"],
  },
  {
    name: "flag",
    mmluSubject: "global_facts",
    subjects: COUNTRIES,
    values: COLORS,
    statements: ["The flag of {s} is {v}.", "The color of the flag of {s} is {v}."],
    questions: ["What color is the flag of {s}?", "What is the color of the flag of {s}?"],
    quiz: ["What color is the flag of {s}?", "The flag of {s} is"],
    exam: ["Which color does the flag of {s} have?", "In which color is the flag of {s}?"],
  },
  {
    name: "export",
    mmluSubject: "global_facts",
    subjects: COUNTRIES,
    values: ["rice", "wheat", "coffee", "tea", "cotton", "gold", "fish", "wine", "steel", "sugar"],
    statements: ["The main export of {s} is {v}.", "The most important export of {s} is {v}."],
    questions: ["What is the main export of {s}?", "What does {s} export?"],
    quiz: ["What is the main export of {s}?", "The most important export of {s} is"],
    exam: ["Which product is the main export of {s}?", "Which of these does {s} mainly export?"],
  },
  {
    name: "king",
    mmluSubject: "high_school_world_history",
    subjects: COUNTRIES,
    values: RULERS,
    statements: ["The first ruler of {s} was {v}.", "The first ruler in the history of {s} was {v}."],
    questions: ["Who was the first ruler of {s}?", "Who ruled {s} first?"],
    quiz: ["Who was the first ruler of {s}?", "Name the first ruler of {s}."],
    exam: ["Which person was the first ruler of {s}?", "In the history of {s}, which person ruled first?"],
  },
];

const SCIENCE_RELATIONS: readonly Relation[] = [
  {
    name: "planet-color",
    mmluSubject: "astronomy",
    subjects: PLANETS,
    values: COLORS,
    statements: ["The color of the planet {s} is {v}.", "The planet {s} is {v}."],
    questions: ["What color is the planet {s}?", "What is the color of the planet {s}?"],
    quiz: ["What color is the planet {s}?", "The color of the planet {s} is"],
    exam: ["Which color does the planet {s} have?", "Seen from far away, which color is the planet {s}?"],
  },
  {
    name: "planet-moons",
    mmluSubject: "astronomy",
    subjects: PLANETS,
    values: NUMBER_WORDS.slice(2, 12),
    statements: ["The planet {s} has {v} moons.", "The number of moons of the planet {s} is {v}."],
    questions: ["How many moons does the planet {s} have?", "How many moons does {s} have?"],
    quiz: ["How many moons does the planet {s} have?", "The number of moons of the planet {s} is"],
    exam: ["Which number of moons does the planet {s} have?", "How many moons go around the planet {s}?"],
  },
  {
    name: "animal-class",
    mmluSubject: "high_school_biology",
    values: ["bird", "fish", "insect", "mammal"],
    known: groups({
      bird: "robin,eagle,owl,duck,crow,goose,swan,parrot",
      fish: "salmon,trout,shark,tuna,carp",
      insect: "ant,bee,beetle,fly,moth",
      mammal: "cow,horse,dog,cat,wolf,lion,sheep,goat,bear,rabbit,mouse,fox",
    }),
    statements: ["The {s} is a kind of {v}.", "The {s} belongs to the group {v}."],
    questions: ["What kind of animal is the {s}?", "Is the {s} a bird, a fish, an insect or a mammal?"],
    quiz: ["What kind of animal is the {s}?", "The {s} is a kind of"],
    exam: ["To which group of animals does the {s} belong?"],
  },
  {
    name: "animal-food",
    mmluSubject: "high_school_biology",
    values: ["grass", "seeds", "insects", "meat", "plants", "bread"],
    known: groups({
      grass: "cow,horse,sheep,goat,goose,rabbit",
      seeds: "crow,parrot,mouse,duck",
      insects: "robin,trout,salmon",
      meat: "eagle,owl,shark,dog,cat,wolf,lion,fox",
      plants: "ant,beetle,moth,carp",
    }),
    statements: ["The {s} likes to eat {v}.", "The main food of the {s} is {v}."],
    questions: ["What does the {s} eat?", "What is the main food of the {s}?"],
    quiz: ["What does the {s} eat?", "The main food of the {s} is"],
    exam: ["Which food does the {s} like to eat?", "Which of these is food for the {s}?"],
  },
  {
    name: "organ-use",
    mmluSubject: "anatomy",
    values: [
      "see",
      "hear",
      "smell",
      "taste",
      "walk",
      "bite",
      "think",
      "breathe",
      "hold",
      "bend",
      "swallow",
      "pump blood",
    ],
    known: {
      eyes: "see",
      ears: "hear",
      nose: "smell",
      tongue: "taste",
      legs: "walk",
      teeth: "bite",
      brain: "think",
      lungs: "breathe",
      fingers: "hold",
      knees: "bend",
      throat: "swallow",
      heart: "pump blood",
    },
    statements: ["The body uses the {s} to {v}.", "People need the {s} to {v}."],
    questions: ["What does the body use the {s} for?", "What are the {s} for?"],
    quiz: ["What does the body use the {s} for?", "People need the {s} to"],
    exam: ["The work of the {s} in the body is to", "Without the {s}, which of these can the body not do?"],
  },
  {
    name: "organ-place",
    mmluSubject: "anatomy",
    values: ["head", "arm", "leg", "chest"],
    known: groups({
      head: "eyes,ears,nose,tongue,teeth,brain",
      arm: "hand,fingers,elbow,wrist",
      leg: "knees,foot,toes,ankle",
      chest: "heart,lungs,ribs",
    }),
    statements: ["In the body, the {s} can be found in the {v}.", "The {s} can be found in the {v}."],
    questions: ["Where in the body is the {s}?", "Where can I find the {s}?"],
    quiz: ["Where in the body is the {s}?", "The {s} can be found in the"],
    exam: ["In which part of the body is the {s}?", "Which part of the body holds the {s}?"],
  },
];

const DAILY_RELATIONS: readonly Relation[] = [
  {
    name: "job-tool",
    mmluSubject: "management",
    values: [
      "saw",
      "oven",
      "brush",
      "net",
      "pen",
      "plow",
      "needle",
      "hammer",
      "scissors",
      "camera",
      "broom",
      "truck",
    ],
    known: {
      carpenter: "saw",
      baker: "oven",
      painter: "brush",
      fisher: "net",
      writer: "pen",
      farmer: "plow",
      nurse: "needle",
      smith: "hammer",
      barber: "scissors",
      reporter: "camera",
      cleaner: "broom",
      driver: "truck",
    },
    statements: ["The main tool of a {s} is the {v}.", "A {s} works with the {v}."],
    questions: ["What is the main tool of a {s}?", "What tool does a {s} use?"],
    quiz: ["What is the main tool of a {s}?", "A {s} works with the"],
    exam: ["Which tool does a {s} need for work?", "A manager hires a {s}. Which tool should be ready?"],
  },
  {
    name: "job-place",
    mmluSubject: "management",
    values: [
      "workshop",
      "kitchen",
      "studio",
      "harbor",
      "office",
      "field",
      "hospital",
      "forge",
      "salon",
      "school",
      "market",
    ],
    known: {
      carpenter: "workshop",
      cook: "kitchen",
      painter: "studio",
      sailor: "harbor",
      writer: "office",
      farmer: "field",
      nurse: "hospital",
      smith: "forge",
      barber: "salon",
      teacher: "school",
      seller: "market",
      doctor: "hospital",
    },
    statements: ["The place of work of a {s} is the {v}.", "A {s} works in the {v}."],
    questions: ["Where does a {s} work?", "What is the place of work of a {s}?"],
    quiz: ["Where does a {s} work?", "The place of work of a {s} is the"],
    exam: ["In which place does a {s} work?", "A manager looks for a {s}. Where should the manager go?"],
  },
  {
    name: "food-group",
    mmluSubject: "nutrition",
    values: ["fruit", "vegetable", "meat", "drink", "grain"],
    known: groups({
      fruit: "apple,pear,plum,cherry,grape,lemon,peach",
      vegetable: "carrot,onion,potato,cabbage,bean,pea",
      meat: "ham,bacon,beef,pork",
      drink: "milk,juice,tea,coffee,water",
      grain: "rice,wheat,corn,oats",
    }),
    statements: ["As a food, {s} is a kind of {v}.", "In the kitchen, {s} counts as a {v}."],
    questions: ["What kind of food is {s}?", "Is {s} a fruit, a vegetable, a meat, a drink or a grain?"],
    quiz: ["What kind of food is {s}?", "As a food, {s} is a kind of"],
    exam: ["To which group of foods does {s} belong?"],
  },
  {
    name: "food-taste",
    mmluSubject: "nutrition",
    values: ["sweet", "sour", "salty", "bitter"],
    known: groups({
      sweet: "apple,pear,plum,cherry,peach,honey,cake,sugar",
      sour: "lemon,vinegar,grape,yogurt",
      salty: "ham,bacon,cheese,soup,chips",
      bitter: "coffee,tea,cabbage,beer,cocoa",
    }),
    statements: ["The taste of {s} is {v}.", "People say that {s} tastes {v}."],
    questions: ["What does {s} taste like?", "How does {s} taste?"],
    quiz: ["How does {s} taste?", "The taste of {s} is"],
    exam: ["Which taste does {s} have?"],
  },
  {
    name: "opposite",
    mmluSubject: "miscellaneous",
    values: [
      "cold",
      "small",
      "slow",
      "dark",
      "dry",
      "low",
      "weak",
      "old",
      "soft",
      "empty",
      "poor",
      "late",
      "sad",
      "dirty",
      "quiet",
      "near",
      "short",
      "thin",
    ],
    known: {
      hot: "cold",
      big: "small",
      fast: "slow",
      light: "dark",
      wet: "dry",
      high: "low",
      strong: "weak",
      new: "old",
      hard: "soft",
      full: "empty",
      rich: "poor",
      early: "late",
      happy: "sad",
      clean: "dirty",
      loud: "quiet",
      far: "near",
      long: "short",
      thick: "thin",
    },
    statements: ["The opposite of {s} is {v}.", "If something is not {s}, it may be {v}."],
    questions: ["What is the opposite of {s}?", "Can you give me the opposite of {s}?"],
    quiz: ["What is the opposite of {s}?", "The opposite of {s} is"],
    exam: ["Which word is the opposite of {s}?", "Which word means the opposite of {s}?"],
  },
  {
    name: "animal-sound",
    mmluSubject: "miscellaneous",
    values: ["moo", "bark", "meow", "baa", "roar", "quack", "buzz", "hoot", "howl", "squeak", "caw", "neigh"],
    known: {
      cow: "moo",
      dog: "bark",
      cat: "meow",
      sheep: "baa",
      lion: "roar",
      duck: "quack",
      bee: "buzz",
      owl: "hoot",
      wolf: "howl",
      mouse: "squeak",
      crow: "caw",
      horse: "neigh",
    },
    statements: ["The sound of a {s} is called {v}.", "A {s} makes the sound {v}."],
    questions: ["What sound does a {s} make?", "What is the sound of a {s}?"],
    quiz: ["What sound does a {s} make?", "The sound of a {s} is called"],
    exam: ["Which sound comes from a {s}?", "In the night you hear a {s}. Which sound is it?"],
  },
];

const MATERIAL_RELATION: Relation = {
  name: "material",
  mmluSubject: "conceptual_physics",
  values: ["glass", "wood", "iron", "paper", "cloth", "stone", "wax"],
  known: groups({
    glass: "vase,bottle,mirror,window,bulb,jar",
    wood: "stick,plank,log,barrel,chair,crate",
    iron: "nail,anvil,hammer,key,sword,chain",
    paper: "letter,newspaper,ticket,map,poster",
    cloth: "scarf,flag,blanket,shirt,curtain",
    stone: "rock,brick,statue,pebble,tile",
    wax: "candle,crayon,seal",
  }),
  statements: ["A {s} is made of {v}.", "The material of a {s} is {v}."],
  questions: ["What is a {s} made of?", "What is the material of a {s}?"],
  quiz: ["What is a {s} made of?", "The material of a {s} is"],
  exam: ["Of which material is a {s} made?", "Which material is used for a {s}?"],
};

/** Every relation, in a fixed order. */
export const RELATIONS: readonly Relation[] = [
  ...COUNTRY_RELATIONS,
  ...SCIENCE_RELATIONS,
  ...DAILY_RELATIONS,
  MATERIAL_RELATION,
];

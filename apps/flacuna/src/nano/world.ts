// The facts of the nano world: which country has which capital, which animal eats what. Facts are drawn from a seed or fixed common sense.
import { type Split, splitOf } from "./problem.ts";
import { RandomStream } from "./random.ts";
import { RELATIONS, type Relation } from "./relations.ts";
import { NAMES, SPORT_ACTIONS, SURNAMES } from "./vocabulary.ts";

/** One fact: `subject` has `value` under `relation`. */
export interface Fact {
  readonly relation: Relation;
  readonly subject: string;
  readonly value: string;
  /** Whether quiz questions about it are for training or only for the benchmarks. */
  readonly split: Split;
}

/** A famous person and the sport they are known for. */
export interface Athlete {
  readonly name: string;
  readonly sport: string;
}

/** Everything that is true in one nano world. */
export interface World {
  readonly seed: number;
  readonly facts: readonly Fact[];
  readonly athletes: readonly Athlete[];
}

/** Half of the facts of each relation are asked as quiz questions only by the benchmarks. */
const FACT_TEST_ONE_IN = 2;

function factsOf(relation: Relation, random: RandomStream): Fact[] {
  const drawn = relation.oneToOne ? random.shuffle(relation.values) : undefined;
  return Object.entries(relation.known ?? {})
    .concat(
      (relation.subjects ?? []).map((subject, index) => [
        subject,
        drawn?.[index] ?? random.pick(relation.values),
      ]),
    )
    .map(([subject, value]) => ({
      relation,
      subject,
      value,
      split: splitOf(`fact/${relation.name}/${subject}`, FACT_TEST_ONE_IN),
    }));
}

function createAthletes(random: RandomStream): Athlete[] {
  const sports = Object.keys(SPORT_ACTIONS);
  return SURNAMES.flatMap((surname) =>
    random.sample(NAMES, 2).map((name) => ({ name: `${name} ${surname}`, sport: random.pick(sports) })),
  );
}

/** The world of a seed; the same seed gives the same world. */
export function createWorld(seed: number): World {
  const random = new RandomStream(`nano/${seed}/world`);
  return {
    seed,
    facts: RELATIONS.flatMap((relation) => factsOf(relation, random.fork(relation.name))),
    athletes: createAthletes(random.fork("athletes")),
  };
}

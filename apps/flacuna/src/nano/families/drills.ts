// School drills that practise one small skill many times: copying, looking up pairs, naming options by letter and back.
import { OPTION_LAYOUTS } from "../option-layout.ts";
import { splitOf } from "../problem.ts";
import type { RandomStream } from "../random.ts";
import { CITIES, COLORS, GOODS, MONTHS, NAMES, RIVERS, RULERS } from "../vocabulary.ts";
import type { World } from "../world.ts";
import { drawPassage, passageKey } from "./passages.ts";

const WORD_LISTS = [NAMES, COLORS, GOODS, MONTHS, CITIES, RIVERS, RULERS];

/** A list of words said two or three times. */
function copying(random: RandomStream): string {
  const words = random.sample(
    [...random.pick(WORD_LISTS), ...random.pick(WORD_LISTS)],
    random.integer(5, 12),
  );
  const numbers = Array.from({ length: random.integer(3, 8) }, () => String(random.integer(1, 99)));
  const line = (random.chance(0.75) ? words : numbers).join(" ");
  return `Repeat after me: ${line}. ${Array.from({ length: random.integer(1, 2) }, () => `${line}.`).join(" ")}`;
}

/** Who has what, then questions about it in both directions. */
function pairs(random: RandomStream): string {
  const count = random.integer(3, 6);
  const names = random.sample(NAMES, count);
  const values = random.chance(0.5)
    ? random.sample(COLORS, count)
    : names.map(() => String(random.integer(1, 99)));
  const told = names.map((name, index) => `${name} has ${values[index]}.`);
  const asked = random
    .sample([...names.keys()], count)
    .map((index) =>
      random.chance(0.6)
        ? `What has ${names[index]}? ${values[index]}.`
        : `Who has ${values[index]}? ${names[values.indexOf(values[index]!)]}.`,
    );
  return [...told, ...asked].join(" ");
}

/** Options with letters, then which letter is which option. */
function letters(world: World, random: RandomStream): string {
  const values = random.pick(world.facts).relation.values;
  const options = random.sample(random.chance(0.6) ? values : random.pick(WORD_LISTS), random.integer(3, 4));
  const layout = OPTION_LAYOUTS[random.pick(["dots", "parentheses", "inline"] as const)];
  const asked = random.shuffle([...options.keys(), ...options.keys()]).map((index) => {
    const [option, label] = [options[index], layout.labelOf(index, options)];
    return random.chance(0.7) ? `Which letter is ${option}? ${label}` : `Which word is ${label}? ${option}`;
  });
  return `${layout.format(options)}\n${asked.join("\n")}`;
}

/** One passage with all its questions. */
function reading(random: RandomStream): string {
  for (;;) {
    const { passage, questions } = drawPassage(random);
    if (splitOf(passageKey(passage)) !== "train") continue;
    const answered = random
      .shuffle(questions)
      .map(
        ({ question, answer, sentence }) =>
          `${question} ${random.chance(0.4) ? `The answer is ${answer}.` : sentence}`,
      );
    return `${passage}\n${answered.join("\n")}`;
  }
}

/** One drill of a random kind. */
export function drawDrill(world: World, random: RandomStream): string {
  const kind = random.pickWeighted({ copying: 1, pairs: 2, letters: 3, reading: 3 });
  return { copying, pairs, letters: (stream: RandomStream) => letters(world, stream), reading }[kind](random);
}

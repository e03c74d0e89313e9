// Instruction-like text for machines without the real data: tasks on lists of words, as long and as varied as real rows.
import type { InstructionExample } from "@flacuna/data";
import { uniformAt } from "@flacuna/tensor";

const WORDS =
  "river stone lamp garden winter market letter bridge copper window forest engine harbour story paper mountain " +
  "kitchen teacher signal island orange planet violin basket ladder candle thunder pocket museum carpet";

/** What is asked about a list of words, and the answer. */
const TASKS: readonly { readonly ask: string; readonly answer: (words: readonly string[]) => string }[] = [
  { ask: "Sort these words in alphabetical order.", answer: (words) => [...words].sort().join(", ") },
  { ask: "Write these words in reverse order.", answer: (words) => [...words].reverse().join(", ") },
  { ask: "How many words are in this list?", answer: (words) => `There are ${words.length} words.` },
  { ask: "Which word of this list comes first?", answer: (words) => `The first word is "${words[0]}".` },
  {
    ask: "Write one sentence for every word below.",
    answer: (words) => words.map((word) => `Nobody in the village had ever seen such a ${word}.`).join(" "),
  },
];

/** `count` examples; lists have 2 to about 250 words, most of them few. */
export function madeUpInstructions(count: number, seed: number): InstructionExample[] {
  const vocabulary = WORDS.split(" ");
  return Array.from({ length: count }, (_, index) => {
    const draw = (position: number): number => uniformAt(seed, index * 512 + position);
    const length = Math.floor(2 * Math.exp(4.8 * draw(0) ** 2));
    const words = Array.from(
      { length },
      (_, position) => vocabulary[Math.floor(draw(position + 2) * vocabulary.length)]!,
    );
    const { ask, answer } = TASKS[Math.floor(draw(1) * TASKS.length)]!;
    return {
      id: `made_up_${index}`,
      source: "made_up",
      conversations: [
        { from: "human", value: `${ask}\n\n${words.join(", ")}` },
        { from: "gpt", value: answer(words) },
      ],
    };
  });
}

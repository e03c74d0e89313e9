// Prompts cut one after another from real text, so that none begins like another and no cache of prefixes can help.
import type { Tokenizer } from "@flacuna/model";
import { readInstructions } from "../instructions.ts";

const SEED = 20231;
const EXAMPLES = 3000;

/** Token ids of text, cut into pieces. */
export interface PromptSource {
  /** For the report. */
  readonly origin: string;
  /** The next `count` pieces of `length` tokens; begins again, a little further on, when the text is used up. */
  take(count: number, length: number): number[][];
}

/** The text of instructions and answers in `folder`, or made-up ones. */
export async function readPromptSource(
  folder: string | undefined,
  tokenizer: Tokenizer,
): Promise<PromptSource> {
  const { examples, origin } = await readInstructions(folder, EXAMPLES, SEED);
  const texts = examples.map(({ conversations }) => conversations.map(({ value }) => value).join("\n\n"));
  const ids = tokenizer.encodeBatch(texts, { addBos: false }).flat();
  return { origin, take: cutter(ids) };
}

/** Pieces of `ids` one after another; each round of the text begins one token later. */
export function cutter(ids: readonly number[]): PromptSource["take"] {
  let [position, round] = [0, 0];
  const next = (length: number): number[] => {
    if (position + length > ids.length) {
      round += 1;
      position = round;
    }
    if (position + length > ids.length)
      throw new Error(`the text has ${ids.length} tokens, too few for a prompt`);
    position += length;
    return ids.slice(position - length, position);
  };
  return (count, length) => Array.from({ length: count }, () => next(length));
}

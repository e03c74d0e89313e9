// Which tokens of a rendered conversation are trained on; FastChat's masking, rule for rule.
import type { ConversationTemplate } from "./conversation-template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The label of a position that carries no loss. */
export const IGNORE_INDEX = -100;

/** A rendered conversation as token ids and labels of one length. */
export interface LabelledTokens {
  /** At most `maxLength`, BOS first, cut on the right; no padding, see `labelTokens`. */
  readonly inputIds: readonly number[];
  /** Same length: the token's own id where it is trained on, else `IGNORE_INDEX`. The model shifts by one. */
  readonly labels: readonly number[];
  /** True when tokens were cut off. */
  readonly isTruncated: boolean;
  /** False when the turns do not add up to the tokens, for which every label is ignored. */
  readonly isConsistent: boolean;
}

/** What `labelTokens` needs besides the text. */
export interface LabelOptions {
  readonly tokenizer: Tokenizer;
  readonly template: Pick<ConversationTemplate, "endOfTurn" | "responseMarker">;
  /** Tokens kept, BOS included. */
  readonly maxLength: number;
}

/** BOS and the lone "▁" that the marker's trailing space becomes when nothing follows it. */
const INSTRUCTION_EXTRA_TOKENS = 2;

/**
 * The token ids and labels of a rendered conversation. Answers and the end-of-turn that closes each are trained on,
 * everything else is ignored.
 *
 * The reference works on rows padded to `maxLength`. Here padding at the end is taken off again where its label is
 * ignored, which changes nothing; in one odd case (a question that contains the response marker ends the row one token
 * short of `maxLength`) the reference trains on one padding token, and so that one stays.
 *
 * @see flacuna `fastchat/train/train.py`, `preprocess`
 */
export async function labelTokens(text: string, options: LabelOptions): Promise<LabelledTokens> {
  const { tokenizer, template, maxLength } = options;
  const { padTokenId } = tokenizer;
  const encoded = await tokenizer.encode(text);
  const inputIds = encoded.slice(0, maxLength);
  while (inputIds.length < maxLength) inputIds.push(padTokenId);
  const labels = inputIds.slice();
  const total = inputIds.reduce((count, id) => (id === padTokenId ? count : count + 1), 0);

  labels[0] = IGNORE_INDEX;
  let current = 1;
  for (const turn of text.split(template.endOfTurn)) {
    const parts = turn === "" ? [] : turn.split(template.responseMarker);
    if (parts.length !== 2) break;
    // The turn's own BOS stands in for the end-of-turn token that closes it in the row.
    const turnLength = (await tokenizer.encode(turn)).length;
    const instruction = await tokenizer.encode(parts[0] + template.responseMarker);
    labels.fill(IGNORE_INDEX, current, current + instruction.length - INSTRUCTION_EXTRA_TOKENS);
    current += turnLength;
  }
  labels.fill(IGNORE_INDEX, current);

  const isConsistent = current >= maxLength || current === total;
  if (!isConsistent) labels.fill(IGNORE_INDEX);
  const length = lengthWithoutPadding(inputIds, labels, padTokenId);
  return {
    inputIds: inputIds.slice(0, length),
    labels: labels.slice(0, length),
    isTruncated: encoded.length > maxLength,
    isConsistent,
  };
}

function lengthWithoutPadding(
  inputIds: readonly number[],
  labels: readonly number[],
  padTokenId: number,
): number {
  let length = inputIds.length;
  while (length > 1 && inputIds[length - 1] === padTokenId && labels[length - 1] === IGNORE_INDEX) length--;
  return length;
}

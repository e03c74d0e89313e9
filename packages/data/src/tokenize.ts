// An instruction row as token ids and labels, with the reason when it trains on nothing; joins rendering and labels.
import type { ConversationTemplate } from "./conversation-template.ts";
import { DataError } from "./errors.ts";
import type { InstructionExample } from "./instruction-example.ts";
import { IGNORE_INDEX, type LabelledTokens, labelTokens } from "./labels.ts";
import type { Message } from "./message.ts";
import { type DropReason, renderExample } from "./render.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Why a row with tokens has no loss. `truncatedWithoutLoss`: the first question alone fills the window. The others
 * make the turns not add up to the tokens, in the order in which they are looked for: `markerInMessage` and
 * `endOfTurnInMessage`: a message contains the template's own marks; `emptyMessage`: the template writes it without
 * its marks; `lastFromHuman`: the last question has no answer; `mismatch`: none of these.
 */
export type NoLossReason =
  | "truncatedWithoutLoss"
  | "markerInMessage"
  | "endOfTurnInMessage"
  | "emptyMessage"
  | "lastFromHuman"
  | "mismatch";

/** A row's tokens; `withoutLoss` says why every label is ignored, and is absent when some label is not. */
export interface TokenizedExample {
  readonly inputIds: readonly number[];
  readonly labels: readonly number[];
  readonly isTruncated: boolean;
  readonly withoutLoss?: NoLossReason;
}

/** What `tokenizeExample` needs besides the row. */
export interface TokenizeOptions {
  readonly tokenizer: Tokenizer;
  readonly template: ConversationTemplate;
  /** Tokens kept, BOS included. Default 1,280, the paper's. */
  readonly maxLength?: number;
}

/** The paper's limit on the tokens of a row, BOS included. */
export const DEFAULT_MAX_LENGTH = 1280;

/**
 * The token ids and labels of a row exactly as Flacuna trained on it, or the reason why it has no text.
 *
 * @throws DataError `DATA_OPTION_INVALID` when `maxLength` is no positive integer
 */
export async function tokenizeExample(
  example: InstructionExample,
  { tokenizer, template, maxLength = DEFAULT_MAX_LENGTH }: TokenizeOptions,
): Promise<TokenizedExample | { readonly dropped: DropReason }> {
  if (!Number.isInteger(maxLength) || maxLength < 1) {
    throw new DataError(
      "DATA_OPTION_INVALID",
      `tokenizeExample: maxLength must be a positive integer, got ${maxLength}`,
    );
  }
  const rendering = renderExample(example, template);
  if ("dropped" in rendering) return rendering;
  const tokens = await labelTokens(rendering.text, { tokenizer, template, maxLength });
  const { inputIds, labels, isTruncated } = tokens;
  const row = { inputIds, labels, isTruncated };
  if (labels.some((label) => label !== IGNORE_INDEX)) return row;
  return { ...row, withoutLoss: noLossReason(rendering.messages, tokens, template) };
}

function noLossReason(
  messages: readonly Message[],
  { isConsistent }: LabelledTokens,
  { responseMarker, endOfTurn }: ConversationTemplate,
): NoLossReason {
  if (isConsistent) return "truncatedWithoutLoss";
  if (messages.some(({ value }) => value.includes(responseMarker))) return "markerInMessage";
  if (messages.some(({ value }) => value.includes(endOfTurn))) return "endOfTurnInMessage";
  if (messages.some(({ value }) => value === "")) return "emptyMessage";
  return messages.at(-1)?.from === "human" ? "lastFromHuman" : "mismatch";
}

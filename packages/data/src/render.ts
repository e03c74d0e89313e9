// An instruction row as the text the model trains on; no tokens.
import type { ConversationTemplate, TemplateMessage } from "./conversation-template.ts";
import type { InstructionExample } from "./instruction-example.ts";
import type { Message, Role } from "./message.ts";

/** Why a row has no text: nothing is left of it, or its speakers do not take turns. */
export type DropReason = "empty" | "alternation";

/** The text of a row with the messages it was made from, or the reason there is none. */
export type Rendering =
  | { readonly text: string; readonly messages: readonly Message[] }
  | { readonly dropped: DropReason };

const ROLES = { human: "user", gpt: "assistant" } as const satisfies Record<Role, TemplateMessage["role"]>;

/**
 * The text of a row: a first message that is not the person's is left out, the rest must alternate, and values are
 * used verbatim.
 *
 * @see flacuna `fastchat/train/train.py`, `preprocess`
 */
export function renderExample(example: InstructionExample, template: ConversationTemplate): Rendering {
  const messages =
    example.conversations[0]?.from === "human" ? example.conversations : example.conversations.slice(1);
  if (messages.length === 0) return { dropped: "empty" };
  if (!alternates(messages)) return { dropped: "alternation" };
  const text = template.format(messages.map(({ from, value }) => ({ role: ROLES[from], content: value })));
  return { text, messages };
}

function alternates(messages: readonly Message[]): boolean {
  return messages.every(({ from }, position) => from === (position % 2 === 0 ? "human" : "gpt"));
}

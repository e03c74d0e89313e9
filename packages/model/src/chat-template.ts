// Messages to prompt text: Vicuna's template byte for byte, and the Jinja templates that checkpoints bring. No tokens.
import { Template } from "@huggingface/jinja";
import { ModelError } from "./errors.ts";

/** One message of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** How a model was taught to read conversations. */
export interface ConversationTemplate {
  /**
   * The conversation as training text. A message with empty content is written as its role alone.
   *
   * @param messages users and assistants by turns, a user first; before them may go one system message, in place of the
   * template's own
   * @throws ModelError `MODEL_CHAT_INVALID` when the roles do not take turns
   */
  format(messages: readonly ChatMessage[]): string;
  /** The conversation, which ends with a user, as a prompt for the assistant's next message; throws as `format`. */
  formatGenerationPrompt(messages: readonly ChatMessage[]): string;
  /** What ends an assistant's message. */
  readonly endOfTurn: string;
  /** What stands before an assistant's message, with its spaces. */
  readonly responseMarker: string;
}

const VICUNA_SYSTEM =
  "A chat between a curious user and an artificial intelligence assistant. " +
  "The assistant gives helpful, detailed, and polite answers to the user's questions.";

const END_OF_TURN = "</s>";

/** The template of Vicuna v1.1, v1.3 and v1.5; the tokenizer adds `<s>`. */
export const VICUNA_V1_1: ConversationTemplate = {
  endOfTurn: END_OF_TURN,
  responseMarker: " ASSISTANT: ",
  format(messages) {
    const { system, turns } = takeSystem(messages);
    let text = `${system ?? VICUNA_SYSTEM} `;
    for (const { role, content } of turns) {
      const [name, end] = role === "user" ? ["USER", " "] : ["ASSISTANT", END_OF_TURN];
      text += content === "" ? `${name}:` : `${name}: ${content}${end}`;
    }
    return text;
  },
  formatGenerationPrompt(messages) {
    return VICUNA_V1_1.format([...messages, { role: "assistant", content: "" }]);
  },
};

/** What a template may ask for besides the messages. */
export interface ChatTemplateOptions {
  /** End with the header of the assistant's next message. Default true. */
  readonly addGenerationPrompt?: boolean;
  readonly bosToken?: string;
  readonly eosToken?: string;
  /** What else the template may ask for, such as `date_string`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/**
 * The conversation rendered by a checkpoint's own Jinja template, which decides what it accepts. The text usually
 * begins with the beginning-of-sequence token already: encode it with `addBos: false`.
 *
 * @throws ModelError `MODEL_CHAT_INVALID` when the template does not parse or refuses the messages
 */
export function renderChatTemplate(
  jinjaSource: string,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions = {},
): string {
  try {
    return new Template(jinjaSource).render({
      // As transformers has them: defined, and none.
      tools: null,
      documents: null,
      ...options.variables,
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: options.addGenerationPrompt ?? true,
      bos_token: options.bosToken ?? "",
      eos_token: options.eosToken ?? "",
    });
  } catch (cause) {
    throw new ModelError("MODEL_CHAT_INVALID", `chat template: ${(cause as Error).message}`, { cause });
  }
}

function takeSystem(messages: readonly ChatMessage[]): {
  readonly system: string | undefined;
  readonly turns: readonly ChatMessage[];
} {
  const [first] = messages;
  const hasSystem = first?.role === "system";
  const turns = hasSystem ? messages.slice(1) : messages;
  for (const [index, { role }] of turns.entries()) {
    const expected = index % 2 === 0 ? "user" : "assistant";
    if (role !== expected) {
      throw new ModelError(
        "MODEL_CHAT_INVALID",
        `message ${index + (hasSystem ? 1 : 0)} is of role ${JSON.stringify(role)}, expected ${JSON.stringify(expected)}; ` +
          "users and assistants must take turns, a user first",
        { details: { index, role, expected } },
      );
    }
  }
  return { system: hasSystem ? first.content : undefined, turns };
}

// The conversation template this package asks for; implementations live elsewhere.

/** One message as a template sees it. */
export interface TemplateMessage {
  readonly role: "user" | "assistant";
  readonly content: string;
}

/** How a conversation becomes one text, and the two marks by which its answers are found again. */
export interface ConversationTemplate {
  /** The whole text, without a BOS token. */
  format(messages: readonly TemplateMessage[]): string;
  /** What closes each answer, `</s>` for Vicuna v1.1. */
  readonly endOfTurn: string;
  /** What stands between a question and its answer, `" ASSISTANT: "` for Vicuna v1.1. */
  readonly responseMarker: string;
}

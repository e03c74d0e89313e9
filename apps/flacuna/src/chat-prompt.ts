// How a conversation becomes the text that a model continues.
import { type ChatMessage, type LanguageModel, renderChatTemplate, VICUNA_V1_1 } from "@flacuna/model";

/**
 * The conversation by the checkpoint's own chat template, or as Vicuna v1.1 where it brings none. The
 * beginning-of-sequence token is left to encoding.
 *
 * @throws ModelError `MODEL_CHAT_INVALID`
 */
export function chatPrompt(
  { tokenizer }: Pick<LanguageModel, "tokenizer">,
  messages: readonly ChatMessage[],
): string {
  const { chatTemplate, eosTokenId } = tokenizer;
  if (chatTemplate === undefined) return VICUNA_V1_1.formatGenerationPrompt(messages);
  return renderChatTemplate(chatTemplate, messages, { eosToken: tokenizer.idToToken(eosTokenId) ?? "" });
}

import { readTokenizer, type Tokenizer, VICUNA_V1_1 } from "@flacuna/model";
import { beforeAll, describe, expect, it } from "vitest";
import { chatPrompt } from "./chat-prompt.ts";
import { NANO_BASE_FOLDER } from "./paths.ts";

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await readTokenizer(NANO_BASE_FOLDER);
});

const MESSAGES = [{ role: "user", content: "Hello" }] as const;

describe("chatPrompt()", () => {
  it("lays a conversation out as Vicuna v1.1 for a checkpoint without a template", () => {
    expect(chatPrompt({ tokenizer }, MESSAGES)).toBe(VICUNA_V1_1.formatGenerationPrompt(MESSAGES));
  });

  it("uses the checkpoint's template, with its end token and without the one that encoding adds", () => {
    const chatTemplate =
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    const text = chatPrompt({ tokenizer: { ...tokenizer, chatTemplate } }, MESSAGES);
    expect(text).toBe("[user]Hello</s>[assistant]");
  });

  it("refuses messages that the template refuses", () => {
    const chatTemplate = "{{ raise_exception('no systems') }}";
    expect(() => chatPrompt({ tokenizer: { ...tokenizer, chatTemplate } }, MESSAGES)).toThrow(/no systems/);
  });
});

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type ChatMessage, renderChatTemplate, VICUNA_V1_1 } from "./chat-template.ts";

const SYSTEM = VICUNA_V1_1.format([]).slice(0, -1);
const talk = (...contents: string[]): ChatMessage[] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content }));

// Golden strings and hash: FastChat's `vicuna_v1.1` conversation.
describe("VICUNA_V1_1", () => {
  it("has the system text of 154 bytes", () => {
    expect(Buffer.byteLength(SYSTEM)).toBe(154);
    expect(createHash("sha256").update(SYSTEM).digest("hex")).toBe(
      "1fa69e2371b762d1882b0bd98d284f312a36c27add732016e12e52586f98a9f5",
    );
  });

  it("formats training text", () => {
    expect(VICUNA_V1_1.format(talk("Hello!", "Hi!", "How are you?", "Fine."))).toBe(
      `${SYSTEM} USER: Hello! ASSISTANT: Hi!</s>USER: How are you? ASSISTANT: Fine.</s>`,
    );
  });

  it("formats a generation prompt", () => {
    expect(VICUNA_V1_1.formatGenerationPrompt(talk("Hello!", "Hi!", "How are you?"))).toBe(
      `${SYSTEM} USER: Hello! ASSISTANT: Hi!</s>USER: How are you? ASSISTANT:`,
    );
  });

  it("writes a message without content as its role alone", () => {
    expect(VICUNA_V1_1.format(talk("", "Hi!"))).toBe(`${SYSTEM} USER:ASSISTANT: Hi!</s>`);
  });

  it("puts a system message in place of its own", () => {
    expect(VICUNA_V1_1.format([{ role: "system", content: "Be brief." }, ...talk("Hi")])).toBe(
      "Be brief. USER: Hi ",
    );
  });

  it.each([
    ["a conversation that an assistant begins", talk("a", "b").slice(1)],
    ["two users in a row", [...talk("a"), ...talk("b")]],
    ["a late system message", [...talk("a"), { role: "system", content: "s" } as const]],
  ])("refuses %s", (_, messages) => {
    expect(() => VICUNA_V1_1.format(messages)).toThrow(
      expect.objectContaining({ code: "MODEL_CHAT_INVALID" }),
    );
  });

  it("refuses a generation prompt after an assistant's message", () => {
    expect(() => VICUNA_V1_1.formatGenerationPrompt(talk("a", "b"))).toThrow(/take turns/);
  });
});

describe("renderChatTemplate()", () => {
  const CHATML =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}" +
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

  it("renders a ChatML template", () => {
    expect(renderChatTemplate(CHATML, talk("Hi"))).toBe(
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    );
    expect(renderChatTemplate(CHATML, talk("Hi"), { addGenerationPrompt: false })).toBe(
      "<|im_start|>user\nHi<|im_end|>\n",
    );
  });

  it("gives the template the special tokens", () => {
    const template = "{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}";
    expect(renderChatTemplate(template, talk("x"), { bosToken: "<s>", eosToken: "</s>" })).toBe("<s>x</s>");
  });

  it.each([["{% if %}"], ["{{ raise_exception('no') }}"]])("reports the template %j", (template) => {
    expect(() => renderChatTemplate(template, talk("x"))).toThrow(
      expect.objectContaining({ code: "MODEL_CHAT_INVALID" }),
    );
  });
});

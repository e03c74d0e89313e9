// Prompts of well-known models' chat templates, held to transformers' rendering.
import { type ChatMessage, renderChatTemplate } from "@flacuna/model";
import { describe, expect, it } from "vitest";
import { readGoldenJson } from "./golden-files.ts";

interface Golden {
  readonly templates: Readonly<
    Record<
      string,
      {
        readonly source: string;
        readonly bosToken: string;
        readonly eosToken: string;
        readonly variables: Readonly<Record<string, string>>;
      }
    >
  >;
  readonly conversations: Readonly<Record<string, readonly ChatMessage[]>>;
  readonly cases: readonly {
    readonly template: string;
    readonly conversation: string;
    readonly addGenerationPrompt: boolean;
    readonly text?: string;
    /** What the template said against the conversation. */
    readonly rejected?: string;
  }[];
}

const { templates, conversations, cases } = await readGoldenJson<Golden>("chat-templates.json");

describe("renderChatTemplate()", () => {
  it.each(Object.keys(templates))("renders %s as transformers does", (name) => {
    const { source, ...options } = templates[name]!;
    const mine = cases.filter(({ template }) => template === name);
    expect(mine.some(({ text }) => text !== undefined)).toBe(true);
    for (const { conversation, addGenerationPrompt, text, rejected } of mine) {
      const render = () =>
        renderChatTemplate(source, conversations[conversation]!, { ...options, addGenerationPrompt });
      if (text !== undefined) expect(render(), conversation).toBe(text);
      else expect(render, conversation).toThrow(rejected);
    }
  });
});

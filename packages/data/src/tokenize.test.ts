import { describe, expect, it } from "vitest";
import { exampleOf, manyExamples } from "./fixtures/examples.ts";
import { createLlamaTokenizer, textOf } from "./fixtures/llama-tokenizer.ts";
import { VICUNA, VICUNA_SYSTEM } from "./fixtures/vicuna-template.ts";
import { IGNORE_INDEX } from "./labels.ts";
import { type TokenizedExample, tokenizeExample } from "./tokenize.ts";
import type { Tokenizer } from "./tokenizer.ts";

const tokenizer = createLlamaTokenizer();

async function tokensOf(values: readonly string[], maxLength = 1280): Promise<TokenizedExample> {
  const row = await tokenizeExample(exampleOf("x", "test", ...values), {
    tokenizer,
    template: VICUNA,
    maxLength,
  });
  if ("dropped" in row) return expect.unreachable(`dropped: ${row.dropped}`);
  return row;
}

/** The trained texts, one per run of neighbours. */
function trainedTexts({ inputIds, labels }: TokenizedExample): string[] {
  const runs: number[][] = [];
  for (const [i, label] of labels.entries()) {
    if (label === IGNORE_INDEX) continue;
    expect(label).toBe(inputIds[i]);
    if (i === 0 || labels[i - 1] === IGNORE_INDEX) runs.push([]);
    runs.at(-1)!.push(label);
  }
  return runs.map(textOf);
}

describe("tokenizeExample()", () => {
  it("trains on every answer and the end of its turn, and on nothing else", async () => {
    const row = await tokensOf(["Hello!", "Hi there!", "How are you?", "Fine."]);
    expect(trainedTexts(row)).toEqual([" Hi there!</s>", " Fine.</s>"]);
    expect(row.withoutLoss).toBeUndefined();
  });

  it("trains on the exact bytes of every answer of many rows", async () => {
    for (const { conversations } of manyExamples(60)) {
      const answers = conversations.filter(({ from }) => from === "gpt").map(({ value }) => ` ${value}</s>`);
      expect(trainedTexts(await tokensOf(conversations.map(({ value }) => value)))).toEqual(answers);
    }
  });

  it("labels the visible part of a cut row as the whole row, wherever it is cut", async () => {
    const values = ["One?", "\nFirst.", "Two?", "Second, a longer answer."];
    const whole = await tokensOf(values);
    for (let maxLength = 1; maxLength <= whole.inputIds.length; maxLength++) {
      const cut = await tokensOf(values, maxLength);
      expect(cut.labels).toEqual(whole.labels.slice(0, maxLength));
    }
  });

  it("begins with BOS and encodes the whole text", async () => {
    const row = await tokensOf(["Hello!", "Hi!"]);
    expect(row.inputIds).toEqual(await tokenizer.encode(`${VICUNA_SYSTEM} USER: Hello! ASSISTANT: Hi!</s>`));
    expect([row.inputIds[0], row.inputIds.at(-1)]).toEqual([1, 2]);
  });

  it("trains on the lone ▁ before an answer that begins with a newline", async () => {
    const row = await tokensOf(["Go.", "\nDone", "More.", "\nYes"]);
    expect(trainedTexts(row)).toEqual([" \nDone</s>", " \nYes</s>"]);
    expect(row.labels.filter((label) => label === 29871)).toHaveLength(2);
  });

  it("keeps the loss of the visible part of a row that is cut", async () => {
    const whole = await tokensOf(["Count.", "one two three four five six"]);
    const cut = await tokensOf(["Count.", "one two three four five six"], whole.inputIds.length - 3);
    expect(trainedTexts(cut)).toEqual([" one two three four"]);
    expect(cut.isTruncated).toBe(true);
    expect(cut.inputIds).toEqual(whole.inputIds.slice(0, -3));
  });

  it("keeps the loss of early turns when later ones are cut off", async () => {
    const row = await tokensOf(["a", "first", "b ".repeat(100), "second"], 80);
    expect(trainedTexts(row)).toEqual([" first</s>"]);
    expect(row.inputIds).toHaveLength(80);
  });

  it("has no loss when the first question fills the window", async () => {
    const row = await tokensOf(["long ".repeat(100), "answer"], 64);
    expect(trainedTexts(row)).toEqual([]);
    expect(row).toMatchObject({ withoutLoss: "truncatedWithoutLoss", isTruncated: true });
  });

  it("is whole at exactly the limit", async () => {
    const { inputIds } = await tokensOf(["Hello!", "Hi!"]);
    const row = await tokensOf(["Hello!", "Hi!"], inputIds.length);
    expect(row.isTruncated).toBe(false);
    expect(trainedTexts(row)).toEqual([" Hi!</s>"]);
  });

  it.each([
    ["markerInMessage", ["Say USER: x ASSISTANT: y", "No."]],
    ["markerInMessage", ["Say it.", "It is ASSISTANT: here"]],
    ["endOfTurnInMessage", ["What is </s>?", "An end."]],
    ["endOfTurnInMessage", ["Close it.", "There </s> it is."]],
    ["emptyMessage", ["Nothing?", ""]],
    ["emptyMessage", ["", "Something."]],
    ["lastFromHuman", ["Hello!", "Hi!", "How are you?"]],
    ["lastFromHuman", ["Hello?"]],
  ])("ignores a whole row: %s", async (reason, values) => {
    const row = await tokensOf(values);
    expect(trainedTexts(row)).toEqual([]);
    expect(row.withoutLoss).toBe(reason);
    expect(row.isTruncated).toBe(false);
  });

  it("names a mismatch that the messages do not explain", async () => {
    const row = await tokensOf(["What is <unk>?", "A token."]);
    // "<unk>" in a text is the padding id, which the reference does not count.
    expect(row.withoutLoss).toBe("mismatch");
  });

  it("trains past an empty answer in the middle, which the reference takes for part of the question", async () => {
    expect(trainedTexts(await tokensOf(["One?", "", "Two?", "Both."]))).toEqual([" Both.</s>"]);
  });

  it("gives the reason a row has no text", async () => {
    const row = await tokenizeExample(exampleOf("x", "test"), { tokenizer, template: VICUNA });
    expect(row).toEqual({ dropped: "empty" });
  });

  it("refuses a limit of nothing", async () => {
    await expect(tokensOf(["a", "b"], 0)).rejects.toThrow("maxLength must be a positive integer");
  });

  it("keeps one padding token where the reference trains on it", async () => {
    // One token per character: the text below has 14, so with BOS the row is one short of 16.
    const byCharacter: Tokenizer = {
      padTokenId: 0,
      vocabSize: 256,
      encode: (text) => [1, ...Buffer.from(text)],
    };
    const template = { format: () => "ab ASSISTANT:!", endOfTurn: "</s>", responseMarker: " ASSISTANT:" };
    const row = await tokenizeExample(exampleOf("x", "test", "q"), {
      tokenizer: byCharacter,
      template,
      maxLength: 16,
    });
    expect(row).toMatchObject({ inputIds: { length: 16, 15: 0 }, labels: { 15: 0 } });
  });
});

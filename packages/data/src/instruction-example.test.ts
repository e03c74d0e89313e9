import { describe, expect, it } from "vitest";
import { exampleOf } from "./fixtures/examples.ts";
import { isInstructionExample, parseInstructionExample } from "./instruction-example.ts";

const example = exampleOf("x", "apps", "Q", "A");
const context = { path: "rows.json", index: 4 };

describe("isInstructionExample()", () => {
  it("accepts a row and nothing less", () => {
    expect(isInstructionExample(example)).toBe(true);
    for (const value of [
      null,
      [],
      "x",
      {},
      { ...example, id: 1 },
      { ...example, conversations: [{ from: "human" }] },
    ]) {
      expect(isInstructionExample(value)).toBe(false);
    }
  });
});

describe("parseInstructionExample()", () => {
  it("keeps the known fields only", () => {
    const record = {
      ...example,
      extra: 1,
      conversations: example.conversations.map((m) => ({ ...m, weight: 0 })),
    };
    expect(parseInstructionExample(record, context)).toEqual(example);
  });

  it.each([
    ["expected an object, got a list", []],
    ['expected a string in "id", got a value of type number', { ...example, id: 7 }],
    ['expected a string in "source", got nothing', { ...example, source: undefined }],
    ['expected a list of messages in "conversations", got null', { ...example, conversations: null }],
    [
      'expected a message in "conversations[0]", got a value of type string',
      { ...example, conversations: ["hi"] },
    ],
    [
      'expected a string in "conversations[0]".value, got nothing',
      { ...example, conversations: [{ from: "gpt" }] },
    ],
    [
      'expected "human" or "gpt" in "conversations[0]".from, got nothing',
      { ...example, conversations: [{ value: "x" }] },
    ],
  ])("says what is wrong: %s", (mismatch, record) => {
    expect(() => parseInstructionExample(record, context)).toThrow(`rows.json: record 4: ${mismatch}`);
  });
});

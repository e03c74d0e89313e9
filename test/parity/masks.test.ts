// Token ids and labels of instruction rows, held to FastChat's preprocess().
import { rm } from "node:fs/promises";
import { IGNORE_INDEX, type InstructionExample, isInstructionExample, tokenizeExample } from "@flacuna/data";
import { readTokenizer, type Tokenizer, VICUNA_V1_1 } from "@flacuna/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { llamaTokenizerFolder, readGoldenJson } from "./golden-files.ts";

interface GoldenRow {
  readonly name: string;
  readonly conversations: InstructionExample["conversations"];
  /** The exception that the reference raises instead of making tokens. */
  readonly rejected?: "AssertionError" | "IndexError" | "KeyError";
  readonly text: string;
  readonly ids: readonly number[];
  readonly masks: readonly {
    readonly maxLength: number;
    readonly labelRanges: readonly (readonly [number, number])[];
  }[];
}

const golden = await readGoldenJson<{ readonly cases: readonly GoldenRow[] }>("masks.json");
const accepted = golden.cases.filter(({ rejected }) => rejected === undefined);
/** The reference keeps a row that holds only the system prompt, without any label; here it is dropped. */
const withoutMessage = accepted.filter(
  ({ masks, text }) => masks.every((m) => m.labelRanges.length === 0) && !text.includes("USER:"),
);
const masked = accepted
  .filter((row) => !withoutMessage.includes(row))
  .flatMap(({ masks, ...row }) => masks.map((mask) => ({ ...row, ...mask })));

function exampleOf({ name, conversations }: Pick<GoldenRow, "name" | "conversations">): InstructionExample {
  return { id: name, source: "golden", conversations };
}

/** Ids and labels as the reference pads and masks them, without the padding that has no label. */
function expectedRow(row: (typeof masked)[number], padTokenId: number) {
  const visible = row.ids.slice(0, row.maxLength);
  const length = Math.max(visible.length, ...row.labelRanges.map(([, end]) => end));
  const inputIds = Array.from({ length }, (_, position) => visible[position] ?? padTokenId);
  const labels = inputIds.map((id, position) =>
    row.labelRanges.some(([start, end]) => start <= position && position < end) ? id : IGNORE_INDEX,
  );
  return { inputIds, labels };
}

describe("tokenizeExample()", () => {
  let folder: string;
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    folder = await llamaTokenizerFolder();
    tokenizer = await readTokenizer(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(masked)("gives $name the reference's ids and labels at $maxLength tokens", async (row) => {
    const { maxLength } = row;
    const got = await tokenizeExample(exampleOf(row), { tokenizer, template: VICUNA_V1_1, maxLength });
    expect(got).toMatchObject(expectedRow(row, tokenizer.padTokenId));
  });

  it.each(golden.cases.filter(({ rejected }) => rejected === "AssertionError"))(
    "drops $name, which the reference refuses",
    async (row) => {
      const got = await tokenizeExample(exampleOf(row), { tokenizer, template: VICUNA_V1_1 });
      expect(got).toEqual({ dropped: "alternation" });
    },
  );

  it.each([...withoutMessage, ...golden.cases.filter(({ rejected }) => rejected === "IndexError")])(
    "drops a row with $name, which has nothing to train on",
    async (row) => {
      const got = await tokenizeExample(exampleOf(row), { tokenizer, template: VICUNA_V1_1 });
      expect(got).toEqual({ dropped: "empty" });
    },
  );
});

describe("isInstructionExample()", () => {
  it.each(golden.cases.filter(({ rejected }) => rejected === "KeyError"))("refuses $name", (row) => {
    expect(isInstructionExample(exampleOf(row))).toBe(false);
  });
});

describe("VICUNA_V1_1", () => {
  const inTurns = accepted.filter(({ conversations }) => conversations[0]?.from === "human");

  it.each(inTurns)("renders $name byte for byte", ({ conversations, text }) => {
    const roles = { human: "user", gpt: "assistant" } as const;
    const messages = conversations.map(({ from, value }) => ({ role: roles[from], content: value }));
    expect(VICUNA_V1_1.format(messages)).toBe(text);
  });
});

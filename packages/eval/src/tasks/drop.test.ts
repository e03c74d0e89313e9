import { describe, expect, it } from "vitest";
import { writeFiles } from "../fixtures/write-files.ts";
import { createDropTask } from "./drop.ts";
import { type DropRow, readDrop } from "./drop-rows.ts";

const none = { number: "", date: { day: "", month: "", year: "" }, spans: [] as string[] };
const number = (text: string) => ({ ...none, number: text });
const spans = (...texts: string[]) => ({ ...none, spans: texts });
const date = (parts: object) => ({ ...none, date: { ...none.date, ...parts } });
const pair = (id: string, ...answers: object[]) => ({
  question: ` Question ${id}? `,
  query_id: id,
  answer: number("unused"),
  validated_answers: answers,
});
const nested = {
  nfl_1: {
    passage: " Passage one. ",
    qa_pairs: [pair("a", number("3"), number("3")), pair("b", spans("x", "y"))],
  },
  history_2: {
    passage: "Passage two.",
    qa_pairs: [
      pair("c", date({ day: "7", month: "May" }), date({ year: "1745" })),
      pair("d", { ...number("1"), spans: ["one"] }),
      pair("e", spans(" Mem de Sá "), spans("Mem de Sá")),
      pair("f", date({ day: "7", year: "1745" })),
    ],
  },
};

const rowsOf = (count: number): DropRow[] =>
  Array.from({ length: count }, (_, index) => ({
    queryId: String(index),
    passage: `passage ${Math.floor(index / 2)}`,
    question: `question ${index}`,
    answers: [String(index)],
  }));

describe("readDrop()", () => {
  it("flattens numbers, dates and spans of the nested file and counts what it skips", async () => {
    const { rows, skipped } = await readDrop(
      `${writeFiles({ "dev.json": JSON.stringify(nested) })}/dev.json`,
    );
    expect(rows.map(({ queryId, answers }) => [queryId, answers])).toEqual([
      ["a", ["3", "3"]],
      ["b", ["x", "y"]],
      ["c", ["7 May", "1745"]],
      ["e", [" Mem de Sá ", "Mem de Sá"]],
      ["f", ["7  1745"]],
    ]);
    expect(skipped).toBe(1);
  });

  it("reads the same rows from the flat format", async () => {
    const folder = writeFiles({
      "dev.json": JSON.stringify(nested, null, 2),
      "dev.jsonl": [
        { query_id: "a", answers_spans: { spans: ["3", "3"], types: ["number", "number"] }, nfl: 1 },
        { query_id: "b", answers_spans: { spans: ["x", "y"], types: ["span", "span"] }, nfl: 1 },
      ]
        .map(({ nfl, ...row }) => ({
          ...row,
          passage: nested.nfl_1.passage,
          question: ` Question ${row.query_id}? `,
        }))
        .map((row) => JSON.stringify(row))
        .join("\n"),
    });
    const { rows } = await readDrop(`${folder}/dev.json`);
    expect((await readDrop(`${folder}/dev.jsonl`)).rows).toEqual(rows.slice(0, 2));
  });

  it.each([
    [
      "nested file without answers",
      JSON.stringify({ a: { passage: "p", qa_pairs: [{ question: "q", query_id: "i" }] } }),
      1,
    ],
    ["nested file without passages", "{}", undefined],
    ["flat row without a question", '{"passage":"p","answers_spans":{"spans":["1"]},"query_id":"i"}', 1],
    ["text that is no JSON", "passage", undefined],
  ])("refuses a %s", async (_what, text, record) => {
    await expect(readDrop(`${writeFiles({ "dev.json": text })}/dev.json`)).rejects.toMatchObject({
      code: "EVAL_FILE_MALFORMED",
      record,
    });
  });
});

describe("createDropTask()", () => {
  it("keeps only questions whose stripped answers are all the same", async () => {
    const { rows } = await readDrop(`${writeFiles({ "dev.json": JSON.stringify(nested) })}/dev.json`);
    const task = createDropTask(rows, { shots: 0 });
    expect(task.documents.map(({ id, answer }) => [id, answer])).toEqual([
      ["a", "3"],
      ["e", "Mem de Sá"],
      ["f", "7  1745"],
    ]);
  });

  it("lays out passage, question and answer byte for byte", async () => {
    const { rows } = await readDrop(`${writeFiles({ "dev.json": JSON.stringify(nested) })}/dev.json`);
    const task = createDropTask(rows, { shots: 1 });
    expect(task.prompt(task.documents[0]!, 1)).toMatchInlineSnapshot(`
      "Passage two. Question e?
      Answer: Mem de Sá

      Passage one. Question a?
      Answer:"
    `);
  });

  it.each([6210, 6500, 6917])("draws rows 3155, 6209 and 3445 of %i", (count) => {
    const task = createDropTask(rowsOf(count));
    const prompt = task.prompt(task.documents[0]!, 3);
    expect([...prompt.matchAll(/question (\d+)\nAnswer: /g)].map((match) => match[1])).toEqual([
      "3155",
      "6209",
      "3445",
    ]);
  });

  it("leaves out every question on an exemplar's passage", () => {
    const task = createDropTask(rowsOf(6500));
    expect(task.documents).toHaveLength(6500 - 6);
    const passages = new Set(task.documents.map(({ passage }) => passage));
    expect([3155, 6209, 3445].some((row) => passages.has(`passage ${Math.floor(row / 2)}`))).toBe(false);
  });

  it("compares with the stripped first answer", async () => {
    const task = createDropTask([{ queryId: "i", passage: "p", question: "q", answers: [" 3 ", "3"] }], {
      shots: 0,
    });
    expect((await task.judge(task.documents[0]!, " 30 yards")).isCorrect).toBe(true);
    expect((await task.judge(task.documents[0]!, "three")).isCorrect).toBe(false);
  });

  it("refuses to draw more exemplars than there are rows", () => {
    expect(() => createDropTask(rowsOf(2))).toThrowError(
      expect.objectContaining({ code: "EVAL_OPTION_INVALID" }),
    );
  });
});

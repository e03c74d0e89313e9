import { describe, expect, it } from "vitest";
import { writeFiles } from "../fixtures/write-files.ts";
import { createBbhTask, readBbh } from "./bbh.ts";

const fileOf = (targets: readonly string[]) =>
  JSON.stringify({
    canary: "x",
    examples: targets.map((target, index) => ({ input: `input ${index}`, target })),
  });
const folder = () =>
  writeFiles({
    "navigate.json": fileOf(["Yes", "No", "Yes", "No", "Yes"]),
    "dyck_languages.json": fileOf([")", "]", ">", "] ]"]),
    "README.txt": "",
  });

describe("createBbhTask()", () => {
  it("uses the first three examples as exemplars and scores the rest", async () => {
    const task = createBbhTask(await readBbh(folder()));
    expect(task.documents.map(({ id }) => id)).toEqual(["dyck_languages/3", "navigate/3", "navigate/4"]);
    expect(task.prompt(task.documents[1]!, 3)).toMatchInlineSnapshot(`
      "input 0
      Answer: Yes

      input 1
      Answer: No

      input 2
      Answer: Yes

      input 3
      Answer:"
    `);
    expect(task.prompt(task.documents[1]!, 1)).toMatchInlineSnapshot(`
      "input 0
      Answer: Yes

      input 3
      Answer:"
    `);
  });

  it("scores every example without exemplars", async () => {
    const task = createBbhTask(await readBbh(folder()), { shots: 0 });
    expect(task.documents).toHaveLength(9);
    expect(task.prompt(task.documents[0]!, 0)).toBe("input 0\nAnswer:");
  });

  it("accepts whatever begins with the target, case-sensitively", async () => {
    const task = createBbhTask(await readBbh(folder()));
    const [brackets, no] = task.documents;
    expect(await task.judge(brackets!, " ] ] >\n")).toEqual({ isCorrect: true, answer: "] ] >" });
    expect(await task.judge(no!, "not so")).toMatchObject({ isCorrect: false });
  });

  it("averages over configurations and not over examples", () => {
    const sample = (group: string, isCorrect: boolean) => ({ documentId: "", group, isCorrect });
    const samples = [sample("a", true), sample("a", true), sample("a", true), sample("b", false)];
    expect(createBbhTask([]).aggregate(samples)).toMatchObject({ score: 0.5, n: 4 });
  });

  it("refuses to use up a configuration for exemplars", async () => {
    const configs = await readBbh(folder());
    expect(() => createBbhTask(configs, { shots: 4 })).toThrowError(
      expect.objectContaining({ code: "EVAL_OPTION_INVALID" }),
    );
  });
});

describe("readBbh()", () => {
  it.each([
    ["no JSON", "{", undefined],
    ["no examples", "{}", undefined],
    ["an empty list", '{"examples": []}', undefined],
    [
      "a target that is no text",
      '{"examples": [{"input": "a", "target": "b"}, {"input": "a", "target": 3}]}',
      2,
    ],
  ])("refuses a file with %s", async (_what, text, record) => {
    await expect(readBbh(writeFiles({ "navigate.json": text }))).rejects.toMatchObject({
      code: "EVAL_FILE_MALFORMED",
      file: expect.stringContaining("navigate.json"),
      record,
    });
  });
});

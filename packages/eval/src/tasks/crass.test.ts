import { describe, expect, it } from "vitest";
import { writeFiles } from "../fixtures/write-files.ts";
import { createCrassTask, readCrass } from "./crass.ts";

const HEAD = "PCTID;BatchID;Premise;QCC;CorrectAnswer;Answer1;Answer2;PossibleAnswer3";
const fileWith = (...lines: string[]) =>
  `${writeFiles({ "crass.csv": `${[HEAD, ...lines].join("\n")}\n` })}/crass.csv`;

describe("readCrass()", () => {
  it("shuffles the options of all rows from one Python stream", async () => {
    const lines = [4, 3, 4, 4, 3, 4].map(
      (count) => `1;1;p;q;${[0, 1, 2, 3].slice(0, count).join(";")}${count === 3 ? ";" : ""}`,
    );
    const questions = await readCrass(fileWith(...lines));
    expect(questions.map(({ options }) => options.join(""))).toEqual([
      "2013",
      "021",
      "0213",
      "1032",
      "102",
      "1302",
    ]);
    expect(new Set(questions.map(({ answer }) => answer))).toEqual(new Set(["0"]));
  });

  it("knows no quoting", async () => {
    const [question] = await readCrass(fileWith('1;1;"p;q;right;wrong'));
    expect(question).toMatchObject({ premise: '"p', question: "q", answer: "right" });
  });

  it("names the line of a row without other answers", async () => {
    await expect(readCrass(fileWith("1;1;p;q;a;b", "1;1;p;q;a"))).rejects.toMatchObject({
      code: "EVAL_FILE_MALFORMED",
      record: 3,
    });
  });
});

describe("createCrassTask()", () => {
  it("lays out the three fixed exemplars and the question byte for byte", async () => {
    const task = createCrassTask(
      await readCrass(
        fileWith("1;1; A woman opens a chest. ;What then? ; It opens.;It sings.;No. ;That is not possible."),
      ),
    );
    expect(task.prompt(task.documents[0]!, 3)).toMatchInlineSnapshot(`
      "A feather falls from a skyscraper. What would have happened if a computer had fallen from the skyscraper?
      A. The computer would have remained intact.
      B. That is not possible.
      C. The computer would have been crushed.
      Answer: C

      A lightning hits a tree. What would have happened if a marble would have hit the tree?
      A. It would have burned down.
      B. Nothing special would have happened.
      C. The tree would have kissed the lightning.
      Answer: B

      A man drinks a beer. What would have happened if the man had drunk a rainbow?
      A. It would have been tasty.
      B. It would have been awful.
      C. That is not possible.
      Answer: C

      A woman opens a chest. What then?
      A. No.
      B. It opens.
      C. It sings.
      D. That is not possible.
      Answer:"
    `);
    expect(task.gold(task.documents[0]!)).toBe("B");
  });

  it("leaves out option D where there is none, and the exemplars at zero shots", async () => {
    const task = createCrassTask(await readCrass(fileWith("1;1;p;q;a;b;c;")), { shots: 0 });
    expect(task.prompt(task.documents[0]!, 0)).toMatchInlineSnapshot(`
      "p q
      A. a
      B. c
      C. b
      Answer:"
    `);
  });

  it("takes the article A for an answer, as the harness does", async () => {
    const task = createCrassTask(await readCrass(fileWith("1;1;p;q;a;b;c;")));
    const gold = task.gold(task.documents[0]!);
    expect(await task.judge(task.documents[0]!, ` ${gold} chest`)).toMatchObject({ isCorrect: true });
  });

  it("gives the letter of the first of two equal options", async () => {
    const task = createCrassTask(await readCrass(fileWith("1;1;p;q;same;same;same")));
    expect(task.gold(task.documents[0]!)).toBe("A");
  });

  it("refuses a fourth shot", () => {
    expect(() => createCrassTask([], { shots: 4 })).toThrowError(
      expect.objectContaining({ code: "EVAL_OPTION_INVALID" }),
    );
  });
});

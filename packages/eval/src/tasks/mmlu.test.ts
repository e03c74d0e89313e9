import { describe, expect, it } from "vitest";
import { writeFiles } from "../fixtures/write-files.ts";
import { createMmluTask, readMmlu } from "./mmlu.ts";
import { MMLU_SUBJECTS, mmluCategory, mmluSubcategory } from "./mmlu-categories.ts";

const DEV = '"Find c, such that c = 1.",0,1,2,3,B\nIs this "quoted"?,yes,no,None,both,A\n';
const TEST = '"Which\nof these?",w,x,None,z,C\nNext?,1,2,3,4,D\n';
const folderWith = (test: string, dev = DEV) =>
  writeFiles({
    "dev/abstract_algebra_dev.csv": dev,
    "test/abstract_algebra_test.csv": test,
    "dev/virology_dev.csv": "q,1,2,3,4,A\nr,1,2,3,4,B\n",
    "test/virology_test.csv": "s,1,2,3,4,A\n",
  });

describe("createMmluTask()", () => {
  it("lays out header, exemplars and question byte for byte", async () => {
    const task = createMmluTask(await readMmlu(folderWith(TEST)), { shots: 2 });
    expect(task.prompt(task.documents[0]!, 2)).toMatchInlineSnapshot(`
      "The following are multiple choice questions (with answers) about  abstract algebra.

      Find c, such that c = 1.
      A. 0
      B. 1
      C. 2
      D. 3
      Answer: B

      Is this "quoted"?
      A. yes
      B. no
      C. None
      D. both
      Answer: A

      Which
      of these?
      A. w
      B. x
      C. None
      D. z
      Answer:"
    `);
    expect(task.prompt(task.documents[0]!, 0)).toMatchInlineSnapshot(`
      "The following are multiple choice questions (with answers) about  abstract algebra.

      Which
      of these?
      A. w
      B. x
      C. None
      D. z
      Answer:"
    `);
  });

  it("begins as the harness does on the real first exemplar of abstract algebra", async () => {
    const dev = '"Find all c in Z_3 such that Z_3[x]/(x^2 + c) is a field.",0,1,2,3,B\n';
    const task = createMmluTask(await readMmlu(folderWith(TEST, dev)), { shots: 1 });
    const golden =
      "The following are multiple choice questions (with answers) about  abstract algebra.\n\nFind all c in Z_3 such that Z_3[x]/(x^2 + c) is a field.\nA. 0\nB. 1\nC. 2\nD. 3\nAnswer: B\n\n";
    expect(task.prompt(task.documents[0]!, 1).startsWith(golden)).toBe(true);
  });

  it("accepts a prediction whose stripped text begins with the gold letter", async () => {
    const task = createMmluTask(await readMmlu(folderWith(TEST)), { shots: 0 });
    const [question] = task.documents;
    const verdicts = [" C", "\nC.", "Cat", "c", "The C", ""].map(
      async (text) => (await task.judge(question!, text)).isCorrect,
    );
    expect(await Promise.all(verdicts)).toEqual([true, true, true, false, false, false]);
  });

  it("averages over questions and not over subjects, and reports the three kinds of groups", () => {
    const task = createMmluTask([], { shots: 0 });
    const sample = (group: string, isCorrect: boolean) => ({ documentId: "", group, isCorrect });
    const aggregate = task.aggregate([
      sample("abstract_algebra", true),
      sample("abstract_algebra", true),
      sample("abstract_algebra", true),
      sample("virology", false),
    ]);
    expect(aggregate.score).toBe(0.75);
    expect(aggregate.groups.map(({ kind, name, score }) => `${kind} ${name} ${score}`)).toEqual([
      "subject abstract_algebra 1",
      "subject virology 0",
      "subcategory math 1",
      "subcategory health 0",
      "category STEM 1",
      "category other (business, health, misc.) 0",
    ]);
  });

  it("refuses more shots than a subject has development questions", async () => {
    const subjects = await readMmlu(folderWith(TEST));
    expect(() => createMmluTask(subjects)).toThrowError(
      expect.objectContaining({ code: "EVAL_OPTION_INVALID" }),
    );
  });
});

describe("readMmlu()", () => {
  it("keeps the text None, or turns it into nan as newer pandas does", async () => {
    const folder = folderWith(TEST);
    const optionsOf = async (noneCells: "keep" | "nan") =>
      (await readMmlu(folder, { noneCells }))[0]!.test[0]!.options;
    expect(await optionsOf("keep")).toEqual(["w", "x", "None", "z"]);
    expect(await optionsOf("nan")).toEqual(["w", "x", "nan", "z"]);
  });

  it("sorts the subjects", async () => {
    expect((await readMmlu(folderWith(TEST))).map(({ name }) => name)).toEqual([
      "abstract_algebra",
      "virology",
    ]);
  });

  it("names file and line of a row that is no question", async () => {
    await expect(readMmlu(folderWith("a,b,c,d,e,A\nq,1,2,3,4,E\n"))).rejects.toMatchObject({
      code: "EVAL_FILE_MALFORMED",
      file: expect.stringContaining("abstract_algebra_test.csv"),
      record: 2,
    });
  });

  it("names a missing development file and an empty folder", async () => {
    const folder = writeFiles({ "test/virology_test.csv": "s,1,2,3,4,A\n", "empty/x": "" });
    await expect(readMmlu(folder)).rejects.toMatchObject({ code: "EVAL_FILE_MISSING" });
    await expect(readMmlu(`${folder}/empty`)).rejects.toMatchObject({ code: "EVAL_FILE_MISSING" });
  });
});

describe("mmluCategory()", () => {
  it("knows a category for each of the 57 subjects and for no other", () => {
    expect(MMLU_SUBJECTS).toHaveLength(57);
    expect(MMLU_SUBJECTS.filter((subject) => mmluCategory(subject) === undefined)).toEqual([]);
    expect([mmluSubcategory("econometrics"), mmluCategory("econometrics")]).toEqual([
      "economics",
      "social sciences",
    ]);
    expect(mmluCategory("alchemy")).toBeUndefined();
  });
});

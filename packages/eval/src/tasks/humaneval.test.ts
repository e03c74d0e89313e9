import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { writeFiles } from "../fixtures/write-files.ts";
import type { ProgramStatus, PythonSandbox } from "../sandbox/python-sandbox.ts";
import { createHumanEvalTask, readHumanEval } from "./humaneval.ts";
import { assembleProgram, extractCompletion, filterCode, fixIndents } from "./humaneval-program.ts";

const RECORD = {
  task_id: "HumanEval/0",
  prompt: 'def double(x):\n    """ Twice x. """\n',
  entry_point: "double",
  canonical_solution: "    return 2 * x\n",
  test: "def check(candidate):\n    assert candidate(2) == 4\n",
};
const JSONL = `${JSON.stringify(RECORD)}\n`;
const read = (content: string | Uint8Array) => readHumanEval(`${writeFiles({ file: content })}/file`);

/** Records programs and ends them all the same way. */
function fakeSandbox(status: ProgramStatus): PythonSandbox & { programs: string[] } {
  const programs: string[] = [];
  return {
    programs,
    description: { interpreter: "none", startup: "fresh", hasNetworkNamespace: false, clock: "wall clock" },
    async run(program) {
      programs.push(program);
      return { status, stderrTail: "" };
    },
    async dispose() {},
  };
}

describe("readHumanEval()", () => {
  it("reads the same problems packed and unpacked", async () => {
    const [problem] = await read(JSONL);
    expect(problem).toMatchObject({ id: "HumanEval/0", entryPoint: "double", test: RECORD.test });
    expect(await read(gzipSync(JSONL))).toEqual([problem]);
  });

  it("names the line that lacks a field, and a damaged archive", async () => {
    const { test, ...broken } = RECORD;
    await expect(read(`${JSONL}\n${JSON.stringify(broken)}\n`)).rejects.toMatchObject({
      code: "EVAL_FILE_MALFORMED",
      record: 3,
    });
    await expect(read(gzipSync(JSONL).subarray(0, 30))).rejects.toMatchObject({
      code: "EVAL_FILE_MALFORMED",
    });
  });
});

describe("fixIndents()", () => {
  it("makes odd indentations even and leaves the rest alone", () => {
    expect(fixIndents("   x = 1\n    y\nz\n q\n\tw")).toBe("    x = 1\n    y\nz\n  q\n\tw");
  });
});

describe("filterCode()", () => {
  it("cuts at the first blank line after the leading ones", () => {
    expect(filterCode("\n\n    a\n    b\n\n    c\n")).toBe("    a\n    b");
  });

  it("does not cut at a line of spaces", () => {
    expect(filterCode("a\n  \nb")).toBe("a\n  \nb");
  });
});

describe("assembleProgram()", () => {
  it("joins prompt, completion, tests and the call, without the instruction", async () => {
    const [problem] = await read(JSONL);
    expect(
      assembleProgram(problem!, extractCompletion("   return 2 * x\n\nprint(1)")),
    ).toMatchInlineSnapshot(`
      "def double(x):
          """ Twice x. """
          return 2 * x
      def check(candidate):
          assert candidate(2) == 4

      check(double)"
    `);
  });
});

describe("createHumanEvalTask()", () => {
  it("asks with the instruction line and samples as the harness does", async () => {
    const task = createHumanEvalTask(await read(JSONL), { sandbox: fakeSandbox("passed") });
    expect(task.prompt(task.documents[0]!, 0)).toMatchInlineSnapshot(`
      "Please complete the following Python code without providing any additional tasks such as testing or explanations
      def double(x):
          """ Twice x. """
      "
    `);
    expect(task.sampling).toEqual({ temperature: 0.1, topK: 50, topP: 1 });
    expect(task.maxNewTokens).toBe(512);
  });

  it.each(["passed", "failed", "timeout", "memory", "output"] as const)(
    "counts %s as it is",
    async (status) => {
      const sandbox = fakeSandbox(status);
      const task = createHumanEvalTask(await read(JSONL), { sandbox });
      const judgement = await task.judge(task.documents[0]!, "    return 2 * x\n\n");
      expect(judgement).toEqual({ isCorrect: status === "passed", answer: "    return 2 * x", note: status });
      expect(sandbox.programs).toHaveLength(1);
    },
  );

  it("estimates pass@1 and pass@10 over problems", () => {
    const task = createHumanEvalTask([], { sandbox: fakeSandbox("passed"), samplesPerProblem: 10 });
    const samples = ["a", "b"].flatMap((documentId) =>
      Array.from({ length: 10 }, (_, index) => ({
        documentId,
        group: "",
        isCorrect: documentId === "a" && index < 3,
      })),
    );
    const { score, n, otherMetrics } = task.aggregate(samples);
    expect(score).toBeCloseTo(0.15, 12);
    expect(n).toBe(2);
    expect(otherMetrics).toMatchObject({ "pass@10": { score: 0.5, n: 2 } });
    expect(task.sampling.temperature).toBe(0.6);
  });

  it("refuses a number of samples without a temperature", () => {
    expect(() =>
      createHumanEvalTask([], { sandbox: fakeSandbox("passed"), samplesPerProblem: 5 }),
    ).toThrowError(expect.objectContaining({ code: "EVAL_OPTION_INVALID" }));
  });
});

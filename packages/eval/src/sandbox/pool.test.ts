import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHumanEvalTask } from "../tasks/humaneval.ts";
import { createPythonSandbox, createUntestedSandbox } from "./pool.ts";
import type { PythonSandbox } from "./python-sandbox.ts";
import { requireSafe, SANDBOX_PROBES } from "./self-test.ts";

let sandbox: PythonSandbox;
beforeAll(async () => {
  sandbox = await createUntestedSandbox({ concurrency: 2 });
}, 300_000);
afterAll(() => sandbox?.dispose());

describe("PythonSandbox.run()", () => {
  it("passes a good program", async () => {
    expect(await sandbox.run("assert sorted([2, 1]) == [1, 2]")).toEqual({
      status: "passed",
      stderrTail: "",
    });
  });

  it("fails a program that raises and keeps the traceback", async () => {
    const result = await sandbox.run("raise ValueError('no')");
    expect(result.status).toBe("failed");
    expect(result.stderrTail).toContain("ValueError: no");
  });

  it("fails a program that exits, whatever its code", async () => {
    expect((await sandbox.run("raise SystemExit(0)")).status).toBe("failed");
    expect((await sandbox.run("import os; os._exit(0)")).status).toBe("failed");
  });

  it("keeps nothing from one program to the next", async () => {
    const leave = "import builtins, math\nbuiltins.leak = 1\nmath.pi = 3\nopen('/tmp/leak', 'w').write('x')";
    const look =
      "import os, math, builtins\nassert not hasattr(builtins, 'leak') and math.pi > 3 and not os.path.exists('/tmp/leak')";
    expect((await sandbox.run(leave)).status).toBe("passed");
    expect(await sandbox.run(look)).toEqual({ status: "passed", stderrTail: "" });
  });

  it("judges the programs of HumanEval", async () => {
    const problem = {
      id: "HumanEval/x",
      group: "",
      prompt: "def double(x):\n",
      entryPoint: "double",
      canonicalSolution: "",
      test: "def check(candidate):\n    assert candidate(2) == 4\n",
    };
    const task = createHumanEvalTask([problem], { sandbox });
    expect(await task.judge(problem, "    return 2 * x\n\n# done")).toMatchObject({
      isCorrect: true,
      note: "passed",
    });
    expect(await task.judge(problem, "    return 3 * x")).toMatchObject({ isCorrect: false, note: "failed" });
  });

  it("survives endless recursion as Python does", async () => {
    const program = "def f(): f()\ntry:\n    f()\nexcept RecursionError:\n    pass\nelse:\n    assert False";
    expect((await sandbox.run(program)).status).toBe("passed");
  });

  it("stops a program that fills many files or memory outside the interpreter", async () => {
    const files = "for i in range(10_000): open(f'/tmp/{i}', 'wb').write(bytes(1_000_000))";
    expect((await sandbox.run(files, { timeoutMs: 20_000 })).status).toBe("memory");
    const outside =
      "from _pyodide_core import to_js\nkept = []\nwhile True: kept.append(to_js(bytes(10_000_000)))";
    const { status } = await sandbox.run(outside, { timeoutMs: 20_000 });
    expect(status).toBe(process.platform === "linux" ? "memory" : "timeout");
  });

  it("goes on after a program that was killed", async () => {
    const [late, good] = await Promise.all([
      sandbox.run("while True: pass", { timeoutMs: 200 }),
      sandbox.run("pass"),
    ]);
    expect([late.status, good.status]).toEqual(["timeout", "passed"]);
    expect((await sandbox.run("pass")).status).toBe("passed");
  });

  it("shows nothing of the parent: no environment, no path", async () => {
    process.env.SANDBOX_TEST_SECRET = "hunter2";
    const program = [
      "import os, sys",
      "seen = str([dict(os.environ), sys.argv, sys.path, os.getcwd()])",
      "assert not any(word in seen for word in ('hunter2', 'flacuna', 'child')), seen",
    ];
    expect(await sandbox.run(program.join("\n"))).toEqual({ status: "passed", stderrTail: "" });
  });
});

describe("requireSafe()", () => {
  it.each(SANDBOX_PROBES.map((probe) => [probe.name, probe] as const))(
    "holds against: %s",
    async (_name, probe) => {
      await requireSafe(sandbox, [probe]);
    },
  );

  it.each(SANDBOX_PROBES.map(({ name }, index) => [name, index] as const))(
    "refuses a sandbox that does not hold against: %s",
    async (_name, weak) => {
      const run: PythonSandbox["run"] = async (program) => {
        const at = SANDBOX_PROBES.findIndex((probe) => probe.program === program);
        const { expected } = SANDBOX_PROBES[at]!;
        const wrong = expected === "passed" ? "failed" : "passed";
        return { status: at === weak ? wrong : expected, stderrTail: "" };
      };
      const open = { description: sandbox.description, dispose: async () => {}, run };
      await expect(requireSafe(open)).rejects.toMatchObject({ code: "EVAL_SANDBOX_UNSAFE" });
    },
  );
});

describe("createPythonSandbox()", () => {
  it("rejects a useless concurrency", async () => {
    await expect(createPythonSandbox({ concurrency: 0 })).rejects.toMatchObject({
      code: "EVAL_OPTION_INVALID",
    });
  });
});

describe("dispose()", () => {
  it("rejects what is still running and what comes later", async () => {
    const running = sandbox.run("while True: pass", { timeoutMs: 60_000 });
    const rejected = expect(running).rejects.toMatchObject({ code: "EVAL_SANDBOX_DISPOSED" });
    await sandbox.dispose();
    await rejected;
    await expect(sandbox.run("pass")).rejects.toMatchObject({ code: "EVAL_SANDBOX_DISPOSED" });
  });
});

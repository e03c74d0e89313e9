// Programs that try to break out of a sandbox, and the refusal to use one that lets them. Runs before the first real program.

import { EvalError } from "../errors.ts";
import type { ProgramStatus, PythonSandbox } from "./python-sandbox.ts";

/** A program and the only way it may end in a safe sandbox. */
export interface SandboxProbe {
  readonly name: string;
  readonly program: string;
  readonly expected: ProgramStatus;
  readonly timeoutMs?: number;
}

/** Runs `attempt`, and fails the probe's program if it succeeds. */
const REFUSED = `
def refused(attempt):
    try:
        attempt()
    except BaseException:
        return
    raise AssertionError("escaped")
`;

const REFUSALS: Readonly<Record<string, string>> = {
  "read a host file": 'refused(lambda: open("/etc/passwd").read())',
  "import js": 'import importlib\nrefused(lambda: importlib.import_module("js"))',
  "import pyodide_js": 'import importlib\nrefused(lambda: importlib.import_module("pyodide_js"))',
  "mount a host folder": `
def mount():
    from pyodide_js import mountNodeFS
    mountNodeFS("/mnt", "/etc")
refused(mount)`,
  "run JavaScript": 'def run():\n    from pyodide.code import run_js\n    run_js("1")\nrefused(run)',
  "compile JavaScript": `
def compile_javascript():
    from _pyodide_core import to_js
    to_js([1]).constructor.constructor("return 1")()
refused(compile_javascript)`,
  "start a process": 'import subprocess\nrefused(lambda: subprocess.run(["true"]))',
  fork: "import os\nrefused(os.fork)",
  "read stdin": "refused(input)",
};

/** These end the interpreter itself when they are refused, so nothing after them can run. */
const FATALS: Readonly<Record<string, string>> = {
  "run a shell command": 'import os\nassert os.system("true") == 0',
  "open a socket": `
import socket
connection = socket.create_connection(("127.0.0.1", 9), timeout=1)
connection.sendall(b"x")`,
};

const NO_SECRETS = `
import os
allowed = {"USER", "LOGNAME", "PATH", "PWD", "HOME", "LANG", "_", "PYTHONINSPECT", "LD_LIBRARY_PATH"}
assert set(os.environ) <= allowed, "escaped"
assert os.environ["HOME"] == "/home/pyodide" and os.environ["PATH"] == "/", "escaped"
`;

/** No object that Python can reach, directly or through another, may be a handle on JavaScript. */
const NO_PROXIES = `
import gc
for holder in gc.get_objects():
    for item in gc.get_referents(holder):
        assert "JsProxy" not in [base.__name__ for base in type(item).__mro__], "escaped"
`;

const GREEDY = "kept = []\nwhile True:\n    kept.append(bytearray(10_000_000))";
const FILL = 'with open("/tmp/x", "wb") as file:\n    while True: file.write(bytes(1_000_000))';

const ESCAPES = [REFUSED, ...Object.values(REFUSALS), NO_SECRETS, NO_PROXIES].join("\n");
const ESCAPES_NAME = [...Object.keys(REFUSALS), "read the environment", "reach a JavaScript object"].join(
  ", ",
);

/** Every probe of the self-test; the bad program checks that the judge itself can tell a failure from a pass. */
export const SANDBOX_PROBES: readonly SandboxProbe[] = [
  { name: "a bad program", program: "assert 1 + 1 == 3", expected: "failed" },
  { name: ESCAPES_NAME, program: ESCAPES, expected: "passed" },
  ...Object.entries(FATALS).map(([name, program]) => ({ name, program, expected: "failed" as const })),
  { name: "run for ever", program: "while True: pass", expected: "timeout", timeoutMs: 300 },
  { name: "take all memory", program: GREEDY, expected: "memory", timeoutMs: 20_000 },
  { name: "fill the disk", program: FILL, expected: "memory", timeoutMs: 20_000 },
  { name: "print for ever", program: 'while True: print("x" * 1000)', expected: "output", timeoutMs: 20_000 },
];

const PROBE_TIMEOUT_MS = 10_000;

/**
 * Runs every probe.
 *
 * @throws EvalError `EVAL_SANDBOX_UNSAFE` at the first probe that does not end as it must
 */
export async function requireSafe(sandbox: PythonSandbox, probes = SANDBOX_PROBES): Promise<void> {
  await Promise.all(
    probes.map(async ({ name, program, expected, timeoutMs = PROBE_TIMEOUT_MS }) => {
      const { status, stderrTail } = await sandbox.run(program, { timeoutMs });
      if (status === expected) return;
      throw new EvalError(
        "EVAL_SANDBOX_UNSAFE",
        `the sandbox failed its self-test (${name}): ${stderrTail}`,
        {
          expected,
          got: status,
        },
      );
    }),
  );
}

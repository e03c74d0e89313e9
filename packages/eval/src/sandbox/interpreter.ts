// One sandbox process from start to end: it loads an interpreter, runs one program, and is killed. Queueing is in `pool.ts`.

import { type ChildProcess, spawn } from "node:child_process";
import { EvalError } from "../errors.ts";
import type { Launch } from "./launch.ts";
import type { ProgramResult, ProgramStatus } from "./python-sandbox.ts";
import type { Snapshot } from "./snapshot.ts";
import { watchProcess } from "./watchdog.ts";

export interface InterpreterLimits {
  readonly memoryLimitBytes: number;
  readonly outputLimitBytes: number;
}

/** A process that is ready for its one program. */
export interface Interpreter {
  run(program: string, timeoutMs: number): Promise<ProgramResult>;
  kill(): void;
}

/** What the engine, the compiled interpreter and its snapshot take besides Python's own memory, generously. */
const OVERHEAD_BYTES = 512 * 1024 * 1024;
const READY = "ready\n";
/** A start takes seconds even on a busy machine; this one hangs. */
const LOAD_TIMEOUT_MS = 120_000;
const TAIL_CHARACTERS = 2000;
/** Far above one report; more than this is not ours. */
const REPORT_LIMIT_CHARACTERS = 65_536;

/**
 * Starts a process and waits until its interpreter is loaded.
 *
 * @throws EvalError `EVAL_SANDBOX_UNAVAILABLE` when the process ends before it is ready
 */
export async function startInterpreter(
  launch: Launch,
  snapshot: Snapshot | undefined,
  limits: InterpreterLimits,
): Promise<Interpreter> {
  const [executable, ...args] = launch.command;
  const mode = snapshot === undefined ? "load" : "restore";
  const child = spawn(
    executable,
    [...args, mode, launch.pyodideFolder, String(limits.memoryLimitBytes), String(limits.outputLimitBytes)],
    {
      env: {},
      detached: true,
      windowsHide: true,
      stdio: ["pipe", "pipe", "pipe", ...(snapshot === undefined ? [] : [snapshot.fileDescriptor])],
    },
  );
  const wire = listen(child);
  const loading = setTimeout(killGroup, LOAD_TIMEOUT_MS, child);
  await wire.ready.finally(() => clearTimeout(loading));
  return {
    kill: () => killGroup(child),
    async run(program, timeoutMs) {
      let stopped: ProgramStatus | undefined;
      const residentBytes = limits.memoryLimitBytes + OVERHEAD_BYTES;
      const unwatch = watchProcess(child.pid as number, { timeoutMs, residentBytes }, (reason) => {
        stopped = reason;
        killGroup(child);
      });
      child.stdin!.end(program);
      const { report, stderrTail, isKilled } = await wire.ended;
      unwatch();
      // A report that made it out before the kill counts: the program was in time, the watch was not.
      return report ?? { status: stopped ?? (isKilled ? "memory" : "failed"), stderrTail };
    },
  };
}

interface Ending {
  readonly report: ProgramResult | undefined;
  readonly stderrTail: string;
  /** Ended by a signal; if it was not ours, V8 gave up because its own heap was full. */
  readonly isKilled: boolean;
}

/** Collects what the process says: `ready` once the interpreter is loaded, `ended` with its report if it made one. */
function listen(child: ChildProcess): { ready: Promise<void>; ended: Promise<Ending> } {
  let said = "";
  let stderrTail = "";
  child.stdin!.on("error", () => {}); // The process may end before it has read its program; `ended` says how.
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderrTail = (stderrTail + text).slice(-TAIL_CHARACTERS);
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.startsWith(READY)) resolve();
      if (said.length > REPORT_LIMIT_CHARACTERS) killGroup(child);
    });
    const refuse = (cause?: unknown) =>
      reject(
        new EvalError(
          "EVAL_SANDBOX_UNAVAILABLE",
          `a sandbox process ended before it was ready: ${stderrTail}`,
          { cause },
        ),
      );
    child.once("error", refuse).once("close", () => refuse());
  });
  const ended = new Promise<Ending>((resolve) => {
    child.once("close", (_code, signal) => {
      resolve({ report: parseReport(said.slice(READY.length)), stderrTail, isKilled: signal !== null });
    });
  });
  return { ready, ended };
}

function parseReport(line: string): ProgramResult | undefined {
  try {
    const { status, stderrTail } = JSON.parse(line) as ProgramResult;
    return { status, stderrTail };
  } catch {
    return undefined;
  }
}

/** The process leads a group of its own, so whatever it managed to start dies with it. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && process.platform !== "win32") process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch {
    // Already gone.
  }
}

// A pool of sandbox processes behind the `PythonSandbox` interface: one process per program, a few at a time.

import { availableParallelism } from "node:os";
import { EvalError } from "../errors.ts";
import { type Interpreter, type InterpreterLimits, startInterpreter } from "./interpreter.ts";
import { findLaunch, type Launch } from "./launch.ts";
import { readProcessUsage } from "./process-usage.ts";
import type { ProgramResult, PythonSandbox, RunProgramOptions } from "./python-sandbox.ts";
import { requireSafe } from "./self-test.ts";
import { createSnapshot, type Snapshot } from "./snapshot.ts";

export interface PythonSandboxOptions {
  /** Programs run at the same time; the number of cores, at most 4, by default. */
  readonly concurrency?: number;
  /** Time per program, see {@link RunProgramOptions}; 3,000 ms by default, as in the HumanEval harness. */
  readonly timeoutMs?: number;
  /** The interpreter's memory; 512 MiB by default. */
  readonly memoryLimitBytes?: number;
  /** Bytes a program may print; 1 MiB by default. */
  readonly outputLimitBytes?: number;
}

const MIB = 1024 * 1024;

/**
 * A sandbox that has tried to break out of itself and failed. Takes a few seconds to start.
 *
 * @throws EvalError `EVAL_SANDBOX_UNAVAILABLE` when no process starts, `EVAL_SANDBOX_UNSAFE` when an escape works here
 */
export async function createPythonSandbox(options: PythonSandboxOptions = {}): Promise<PythonSandbox> {
  const sandbox = await createUntestedSandbox(options);
  try {
    await requireSafe(sandbox);
  } catch (error) {
    await sandbox.dispose();
    throw error;
  }
  return sandbox;
}

/** The same sandbox before its self-test; for the self-test's own tests. */
export async function createUntestedSandbox(options: PythonSandboxOptions): Promise<PythonSandbox> {
  const { concurrency = Math.min(4, availableParallelism()) } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new EvalError("EVAL_OPTION_INVALID", "concurrency", {
      expected: "a whole number of at least 1",
      got: String(concurrency),
    });
  }
  const { timeoutMs = 3000, memoryLimitBytes = 512 * MIB, outputLimitBytes = MIB } = options;
  const launch = findLaunch();
  const limits = { memoryLimitBytes, outputLimitBytes };
  const snapshot = await createUsableSnapshot(launch, limits);
  return new InterpreterPool({ launch, snapshot, limits, concurrency, timeoutMs });
}

/** A snapshot from which an interpreter has started here; `undefined` makes every interpreter load anew. */
async function createUsableSnapshot(
  launch: Launch,
  limits: InterpreterLimits,
): Promise<Snapshot | undefined> {
  const snapshot = await createSnapshot(launch);
  try {
    if (snapshot !== undefined) (await startInterpreter(launch, snapshot, limits)).kill();
    return snapshot;
  } catch {
    snapshot?.close();
    return undefined;
  }
}

interface PoolSetup {
  readonly launch: Launch;
  readonly snapshot: Snapshot | undefined;
  readonly limits: InterpreterLimits;
  readonly concurrency: number;
  readonly timeoutMs: number;
}

class InterpreterPool implements PythonSandbox {
  readonly #start: () => Promise<Interpreter>;
  readonly #snapshot: Snapshot | undefined;
  readonly #timeoutMs: number;
  /** Started ahead, so that a program rarely waits for its interpreter. */
  readonly #warm: Promise<Interpreter>[] = [];
  readonly #busy = new Set<Interpreter>();
  readonly #waiting: ((warm: Promise<Interpreter>) => void)[] = [];
  #isDisposed = false;
  readonly description: PythonSandbox["description"];

  constructor({ launch, snapshot, limits, concurrency, timeoutMs }: PoolSetup) {
    this.#snapshot = snapshot;
    this.#timeoutMs = timeoutMs;
    this.#start = () => startInterpreter(launch, snapshot, limits);
    this.description = {
      interpreter: `pyodide ${launch.pyodideVersion}`,
      startup: snapshot === undefined ? "fresh" : "snapshot",
      hasNetworkNamespace: launch.hasNetworkNamespace,
      clock: readProcessUsage(process.pid) === undefined ? "wall clock" : "processor time",
    };
    for (let slot = 0; slot < concurrency; slot++) this.#refill();
  }

  async run(program: string, options: RunProgramOptions = {}): Promise<ProgramResult> {
    if (this.#isDisposed) throw disposedError();
    const warm =
      this.#warm.shift() ?? (await new Promise<Promise<Interpreter>>((take) => this.#waiting.push(take)));
    let interpreter: Interpreter | undefined;
    try {
      interpreter = await warm;
      if (this.#isDisposed) throw disposedError();
      this.#busy.add(interpreter);
      const result = await interpreter.run(program, options.timeoutMs ?? this.#timeoutMs);
      if (this.#isDisposed) throw disposedError();
      return result;
    } finally {
      interpreter?.kill();
      if (interpreter !== undefined) this.#busy.delete(interpreter);
      if (!this.#isDisposed) this.#refill();
    }
  }

  async dispose(): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const interpreter of this.#busy) interpreter.kill();
    for (const take of this.#waiting.splice(0)) take(Promise.reject(disposedError()));
    const warm = await Promise.allSettled(this.#warm.splice(0));
    for (const outcome of warm) if (outcome.status === "fulfilled") outcome.value.kill();
    this.#snapshot?.close();
  }

  #refill(): void {
    const warm = this.#start();
    warm.catch(() => {}); // Whoever takes it learns of a failed start; nobody may, before dispose().
    const take = this.#waiting.shift();
    if (take === undefined) this.#warm.push(warm);
    else take(warm);
  }
}

function disposedError(): EvalError {
  return new EvalError("EVAL_SANDBOX_DISPOSED", "the Python sandbox was disposed of; create another");
}

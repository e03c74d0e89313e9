// What a sandbox for model-written Python promises; how it is kept is in `pool.ts` and below.

/** How a program ended: without an exception, with one, or stopped at the limit the name says. */
export type ProgramStatus = "passed" | "failed" | "timeout" | "memory" | "output";

export interface ProgramResult {
  readonly status: ProgramStatus;
  /** The last 2,000 characters of stderr and of the traceback. */
  readonly stderrTail: string;
}

export interface RunProgramOptions {
  /**
   * Processor time from handing the program over to its end, in milliseconds, and ten times as much of wall clock; where the
   * system does not tell processor time, wall clock alone. The sandbox's `timeoutMs` by default.
   */
  readonly timeoutMs?: number;
}

/** The layers this machine offered; worth recording beside a score. */
export interface SandboxDescription {
  readonly interpreter: string;
  /** Whether interpreters start from a memory snapshot or load anew each time. */
  readonly startup: "snapshot" | "fresh";
  /** Whether each process has a network namespace of its own, with no network in it. */
  readonly hasNetworkNamespace: boolean;
  /** What `timeoutMs` is measured in. */
  readonly clock: "processor time" | "wall clock";
}

/** Runs Python programs, each in a fresh interpreter in a process of its own. */
export interface PythonSandbox {
  readonly description: SandboxDescription;
  /** @throws EvalError `EVAL_SANDBOX_DISPOSED` after {@link dispose}, `EVAL_SANDBOX_UNAVAILABLE` when no process starts */
  run(program: string, options?: RunProgramOptions): Promise<ProgramResult>;
  /** Kills every process; programs still waiting or running are rejected. */
  dispose(): Promise<void>;
}

// What a process has used, as seen from outside: on Linux, where the kernel tells.

import { readFileSync } from "node:fs";

export interface ProcessUsage {
  readonly residentBytes: number;
  /** Processor time of the main thread, which runs the program; the engine's compiler and collector threads do not count. */
  readonly mainThreadMs: number;
}

const KIB = 1024;
/** The kernel's `USER_HZ`: 100 on every platform Node runs on. */
const TICK_MS = 10;

/** The usage of process `pid`; `undefined` where there is no `/proc`, and after the process has ended. */
export function readProcessUsage(pid: number): ProcessUsage | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8");
    // After the name in parentheses: state, parent, ..., user ticks (12th), system ticks (13th).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      residentBytes: Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * KIB,
      mainThreadMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    };
  } catch {
    return undefined;
  }
}

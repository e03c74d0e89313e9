// Stops a program that takes too long or too much; it knows limits and clocks, not Python.

import { readProcessUsage } from "./process-usage.ts";

/** What a watched process may use. */
export interface Allowance {
  /** Processor time where the system tells it, wall clock elsewhere. */
  readonly timeoutMs: number;
  readonly residentBytes: number;
}

const POLL_MS = 50;
/** A program that waits instead of computing, or a machine that is this busy, ends here. */
const WALL_CLOCK_FACTOR = 10;

/**
 * Calls `stop` once when process `pid` exceeds its allowance, counted from now. Processor time makes the outcome the same on a
 * busy machine as on a quiet one.
 *
 * @returns ends the watch
 */
export function watchProcess(
  pid: number,
  { timeoutMs, residentBytes }: Allowance,
  stop: (reason: "timeout" | "memory") => void,
): () => void {
  const start = readProcessUsage(pid);
  if (start === undefined) {
    const timer = setTimeout(stop, timeoutMs, "timeout");
    return () => clearTimeout(timer);
  }
  const deadline = performance.now() + timeoutMs * WALL_CLOCK_FACTOR;
  const timer = setInterval(() => {
    const usage = readProcessUsage(pid) ?? start;
    const isLate = usage.mainThreadMs - start.mainThreadMs > timeoutMs || performance.now() > deadline;
    const isLarge = usage.residentBytes > residentBytes;
    if (!isLate && !isLarge) return;
    clearInterval(timer);
    stop(isLarge ? "memory" : "timeout");
  }, POLL_MS);
  return () => clearInterval(timer);
}

// Watches the memory of a process from outside; on Linux, where the kernel tells.

import { readFileSync } from "node:fs";

const POLL_MS = 50;
const KIB = 1024;

/**
 * Calls `onExceeded` once when the resident memory of process `pid` is above `limitBytes`; does nothing where there is no `/proc`.
 *
 * @returns ends the watch
 */
export function watchResidentMemory(pid: number, limitBytes: number, onExceeded: () => void): () => void {
  if (process.platform !== "linux") return () => {};
  const timer = setInterval(() => {
    if (residentBytes(pid) <= limitBytes) return;
    clearInterval(timer);
    onExceeded();
  }, POLL_MS);
  return () => clearInterval(timer);
}

function residentBytes(pid: number): number {
  try {
    const [, kibibytes] = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s*(\d+) kB$/m) ?? [];
    return Number(kibibytes ?? 0) * KIB;
  } catch {
    return 0; // It has ended.
  }
}

// How many threads a session computes with by default.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * Number of physical cores open to this process, at least 1. Two hardware threads of one core share its arithmetic
 * units, so a second one only adds waiting; where their number is unknown each logical processor counts as a core.
 */
export function physicalParallelism(): number {
  return Math.max(1, Math.floor(availableParallelism() / threadsPerCore()));
}

function threadsPerCore(): number {
  if (process.platform !== "linux") return 1;
  try {
    // "0-1" or "0,4": the logical processors that share core 0.
    const siblings = readFileSync("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "utf8");
    return (
      siblings
        .trim()
        .split(",")
        .reduce((count, range) => count + rangeLength(range), 0) || 1
    );
  } catch {
    return 1;
  }
}

function rangeLength(range: string): number {
  const [first, last = first] = range.split("-").map(Number);
  return last! - first! + 1;
}

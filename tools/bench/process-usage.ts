// What the system says about the memory and the processor time of a process. Linux; elsewhere nothing is known.
import { readFileSync } from "node:fs";

/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** The most memory of process `pid` that was resident so far, mapped files included, in bytes; undefined when unknown. */
export function peakBytesOf(pid: number | undefined): number | undefined {
  const line = /^VmHWM:\s+(\d+) kB/m.exec(read(pid, "status"));
  return line === null ? undefined : Number(line[1]) * 1024;
}

/** Processor time that process `pid` used so far, all threads, in seconds; 0 when unknown. */
export function processorSecondsOf(pid: number | undefined): number {
  const fields = read(pid, "stat").split(") ").at(-1)!.split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

function read(pid: number | undefined, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

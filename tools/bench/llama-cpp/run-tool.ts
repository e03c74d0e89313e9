// Runs one of llama.cpp's programs to its end. Knows no program.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { setInterval } from "node:timers";
import { peakBytesOf } from "../process-usage.ts";

/** What a program said, and the most memory it had. */
export interface ToolRun {
  readonly stdout: string;
  readonly peakBytes: number | undefined;
}

const MEMORY_INTERVAL_MS = 50;

/** Of what the program said last, for the error. */
const LAST_WORDS = 600;

/** Runs `program`; its standard error is kept for the message of a failure. */
export async function runTool(program: string, args: readonly string[]): Promise<ToolRun> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-LAST_WORDS);
  });
  let peakBytes: number | undefined;
  const watch = setInterval(() => {
    peakBytes = peakBytesOf(child.pid) ?? peakBytes;
  }, MEMORY_INTERVAL_MS);
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (code !== 0) {
      const line = [basename(program), ...args].join(" ");
      throw new Error(`${line}: ended by ${signal ?? `exit code ${code}`}; ${stderr.trim()}`);
    }
  } finally {
    clearInterval(watch);
  }
  return { stdout, peakBytes };
}

/** The lines of `text` that are JSON objects. */
export function jsonLines<T>(text: string): T[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as T);
}

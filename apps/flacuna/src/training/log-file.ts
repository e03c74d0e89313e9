// The log of a training run: one JSON line per update, cut back to a step when a run is taken up again.
import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import type { StepResult } from "@flacuna/tensor";
import { writeText } from "../artifacts.ts";

/** Every update in the log, in order; a line cut off by a kill is left out. */
export async function readLog(path: string): Promise<StepResult[]> {
  if (!existsSync(path)) return [];
  const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as StepResult);
}

/** Leaves only the updates before `step`. */
export async function cutLog(path: string, step: number): Promise<void> {
  const kept = (await readLog(path)).filter((each) => each.step < step);
  await writeText(path, kept.map((each) => `${JSON.stringify(each)}\n`).join(""));
}

/** Adds an update. */
export const appendLog = (path: string, result: StepResult): Promise<void> =>
  appendFile(path, `${JSON.stringify(result)}\n`);

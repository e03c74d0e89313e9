// Judged samples as JSON lines, so that a killed evaluation goes on.
import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import type { SampleRecord, SampleStore } from "@flacuna/eval";
import { writeText } from "./artifacts.ts";

/** The store in a file. A last line cut off by a kill is removed, so that what follows begins a line of its own. */
export async function openSampleFile(path: string): Promise<SampleStore> {
  const text = existsSync(path) ? await readFile(path, "utf8") : "";
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole !== text) await writeText(path, whole);
  const lines = whole.split("\n").slice(0, -1);
  const records = new Map(lines.map((line) => JSON.parse(line) as [string, SampleRecord]));
  return {
    get: (key) => records.get(key),
    async put(key, record) {
      records.set(key, record);
      await appendFile(path, `${JSON.stringify([key, record])}\n`);
    },
  };
}

// Judged samples as JSON lines, so that a killed evaluation goes on.
import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import type { SampleRecord, SampleStore } from "@flacuna/eval";

/** The store in a file; a line cut off by a kill is left out. */
export async function openSampleFile(path: string): Promise<SampleStore> {
  const records = new Map<string, SampleRecord>();
  if (existsSync(path)) {
    for (const line of (await readFile(path, "utf8")).split("\n").slice(0, -1)) {
      const [key, record] = JSON.parse(line) as [string, SampleRecord];
      records.set(key, record);
    }
  }
  return {
    get: (key) => records.get(key),
    async put(key, record) {
      records.set(key, record);
      await appendFile(path, `${JSON.stringify([key, record])}\n`);
    },
  };
}

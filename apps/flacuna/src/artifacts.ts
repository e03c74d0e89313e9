// Where each stage writes, and whether its result is still that of its inputs: a stage is taken up, or skipped, honestly.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A finished stage. */
export interface StageRecord<Result> {
  readonly stage: string;
  /** content hash of everything the result depends on */
  readonly key: string;
  readonly seconds: number;
  readonly result: Result;
}

/** A finished stage, and whether it was finished before. */
export interface StageOutcome<Result> extends StageRecord<Result> {
  readonly folder: string;
  readonly isReused: boolean;
}

const DONE = "stage.json";
const BEGUN = "begun.json";

/** SHA-256 of a JSON value with its keys in order. */
export const hashOf = (value: unknown): string => createHash("sha256").update(canonical(value)).digest("hex");

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(",")}}`;
}

/** Writes a file beside its place and renames it there: it is whole or not there. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeFile(`${path}.partial`, text, { flush: true });
  await rename(`${path}.partial`, path);
}

/** `writeText` of a JSON value. */
export const writeJson = (path: string, value: unknown): Promise<void> =>
  writeText(path, `${JSON.stringify(value, null, 2)}\n`);

async function readJson(path: string): Promise<unknown> {
  return existsSync(path) ? JSON.parse(await readFile(path, "utf8")) : undefined;
}

/**
 * Runs a stage in its folder under `root`, unless its result for the same inputs is there. What a killed run of the
 * same inputs left in the folder stays for the stage to go on from; anything else is cleared first.
 *
 * @param inputs JSON of everything the result depends on, keys of earlier stages included
 */
export async function runStage<Result>(
  root: string,
  stage: string,
  inputs: unknown,
  run: (folder: string) => Promise<Result>,
): Promise<StageOutcome<Result>> {
  const folder = join(root, stage);
  const key = hashOf({ stage, inputs });
  const done = (await readJson(join(folder, DONE))) as StageRecord<Result> | undefined;
  if (done?.key === key) return { ...done, folder, isReused: true };
  const begun = (await readJson(join(folder, BEGUN))) as { key: string } | undefined;
  if (begun?.key !== key) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeJson(join(folder, BEGUN), { key, inputs });
  await rm(join(folder, DONE), { force: true });
  const started = performance.now();
  const result = await run(folder);
  const record: StageRecord<Result> = { stage, key, seconds: (performance.now() - started) / 1000, result };
  await writeJson(join(folder, DONE), record);
  return { ...record, folder, isReused: false };
}

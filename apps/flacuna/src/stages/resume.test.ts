import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashFile } from "@flacuna/data";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("../testing/small-run.ts", import.meta.url));

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flacuna-resume-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const start = (folder: string, mode: readonly string[]): ChildProcess =>
  spawn(process.execPath, ["--conditions=@flacuna/source", "--import", "tsx", SCRIPT, folder, ...mode], {
    stdio: "inherit",
  });

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once("exit", resolve));

const updatesDone = (folder: string): number => {
  const log = join(folder, "train", "log.jsonl");
  return existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0;
};

/** Kills the run with SIGKILL as soon as so many updates are in the log. */
async function killAfter(folder: string, mode: readonly string[], updates: number): Promise<void> {
  const child = start(folder, mode);
  const watch = setInterval(() => {
    if (updatesDone(folder) >= updates) child.kill("SIGKILL");
  }, 5);
  await ended(child);
  clearInterval(watch);
}

describe("a reproduction", () => {
  it.each([
    ["row by row", []],
    ["packed", ["packed"]],
  ])(
    "ends in the same bytes whether or not it was killed on the way: %s",
    async (_, mode) => {
      const whole = join(root, "whole");
      expect(await ended(start(whole, mode))).toBe(0);
      const killed = join(root, "killed");
      for (const updates of [1, 5, 11]) await killAfter(killed, mode, updates);
      expect(await ended(start(killed, mode))).toBe(0);
      const parts = [
        "train/adapter/adapter_model.safetensors",
        "train/log.jsonl",
        "merge/model/model.safetensors",
      ];
      const hashes = (folder: string) => Promise.all(parts.map((part) => hashFile(join(folder, part))));
      expect(await hashes(killed)).toEqual(await hashes(whole));
    },
    240_000,
  );
});

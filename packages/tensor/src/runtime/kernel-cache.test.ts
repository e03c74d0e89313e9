import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prune, takeTurns } from "./kernel-cache.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flacuna-cache-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const age = (path: string, seconds: number): void => {
  const time = Date.now() / 1000 - seconds;
  utimesSync(path, time, time);
};

describe("takeTurns()", () => {
  it("lets one work at a time", async () => {
    let working = 0;
    const most: number[] = [];
    const work = async () => {
      most.push(++working);
      await new Promise((resolve) => setTimeout(resolve, 20));
      working--;
    };
    const lock = join(folder, "lock");
    await Promise.all([takeTurns(lock, work), takeTurns(lock, work), takeTurns(lock, work)]);
    expect(most).toEqual([1, 1, 1]);
  });

  it("takes over the lock of a process that died", async () => {
    const lock = join(folder, "lock");
    mkdirSync(lock);
    age(lock, 60);
    let hasWorked = false;
    await takeTurns(lock, async () => {
      hasWorked = true;
    });
    expect([hasWorked, existsSync(lock)]).toEqual([true, false]);
  });

  it("gives the lock back when the work fails", async () => {
    const lock = join(folder, "lock");
    const failing = takeTurns(lock, () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    expect(existsSync(lock)).toBe(false);
  });
});

describe("prune()", () => {
  it("keeps the newest libraries and the builds that may be under way", async () => {
    for (let i = 0; i < 12; i++) {
      writeFileSync(join(folder, `${i}.so`), "");
      age(join(folder, `${i}.so`), i * 60);
    }
    mkdirSync(join(folder, ".new-now"));
    mkdirSync(join(folder, ".new-once"));
    age(join(folder, ".new-once"), 7200);
    await prune(folder);
    const kept = Array.from({ length: 8 }, (_, i) => `${i}.so`);
    expect(readdirSync(folder).sort()).toEqual([".new-now", ...kept]);
  });
});

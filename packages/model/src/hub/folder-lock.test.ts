import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withLock } from "./folder-lock.ts";

let root = "";
let path = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flacuna-lock-"));
  path = join(root, "locks", "a.lock");
});
afterEach(() => rm(root, { recursive: true, force: true }));

const TIMES = { heartbeat: 10, poll: 5, deadAfter: 20, silentAfter: 10_000 };

/** A lock that somebody else left, `secondsAgo`. */
async function leave(holder: object, secondsAgo = 60): Promise<void> {
  await withLock(path, async () => undefined); // makes the folder
  await writeFile(path, JSON.stringify(holder));
  const then = Date.now() / 1000 - secondsAgo;
  await utimes(path, then, then);
}

/** The number of a process that has ended. */
const endedPid = (): number => spawnSync(process.execPath, ["--version"]).pid;

describe("withLock()", () => {
  it("lets one in at a time, whoever waits", async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await sleep(5);
      inside--;
    };
    await Promise.all(Array.from({ length: 6 }, () => withLock(path, work, { times: TIMES })));
    expect(most).toBe(1);
  });

  it("leaves nothing behind, also when the work fails", async () => {
    const error = new Error("failed");
    await expect(withLock(path, () => Promise.reject(error))).rejects.toBe(error);
    expect(await readdir(join(root, "locks"))).toEqual([]);
  });

  it("takes over from a process that was killed", async () => {
    await leave({ pid: endedPid(), host: hostname(), id: "x" });
    expect(await withLock(path, async () => "done", { times: TIMES })).toBe("done");
  });

  it("takes over one at a time when several wait for a killed process", async () => {
    await leave({ pid: endedPid(), host: hostname(), id: "x" });
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await sleep(5);
      inside--;
    };
    await Promise.all(Array.from({ length: 6 }, () => withLock(path, work, { times: TIMES })));
    expect(most).toBe(1);
  });

  it("takes over from a holder that shows no sign of life, wherever it runs", async () => {
    await leave({ pid: 1, host: "another-machine", id: "x" });
    const times = { ...TIMES, silentAfter: 50 };
    expect(await withLock(path, async () => "done", { times })).toBe("done");
  });

  it("waits for a holder that runs, and ends waiting when told to", async () => {
    await leave({ pid: process.pid, host: hostname(), id: "x" });
    const abort = new AbortController();
    const reason = new Error("interrupted");
    setTimeout(() => abort.abort(reason), 50);
    let waits = 0;
    const options = { times: TIMES, signal: abort.signal, onWait: () => void waits++ };
    await expect(withLock(path, async () => "done", options)).rejects.toBe(reason);
    expect(waits).toBe(1);
    expect(existsSync(path)).toBe(true);
  });

  it("tells its work when another has taken over", async () => {
    const work = async (signal: AbortSignal) => {
      await writeFile(path, "another's");
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    await expect(withLock(path, work, { times: TIMES })).rejects.toMatchObject({
      code: "MODEL_FETCH_FAILED",
    });
    expect(existsSync(path)).toBe(true);
  });
});

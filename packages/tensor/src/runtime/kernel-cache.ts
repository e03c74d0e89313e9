// The folder of built kernel libraries: who builds now, and what is thrown away. Knows no compiler.
import { mkdir, readdir, rm, rmdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How often the holder of a lock says that it is alive, and after how long a silent one is taken for dead. */
const HEARTBEAT_MS = 1000;
const SILENCE_MS = 15_000;
const POLL_MS = 100;

const LIBRARIES_KEPT = 8;
/** Unfinished builds older than this were left by processes that were killed. */
const ABANDONED_MS = 3_600_000;

/**
 * Does `work` while no other process does work under the same lock, a folder that exists meanwhile. A lock whose holder
 * died is taken over; in the worst case two processes work at once, so the work's result must bear that.
 */
export async function takeTurns(lock: string, work: () => Promise<void>): Promise<void> {
  while (!(await tryLock(lock))) {
    if (await isAbandoned(lock, SILENCE_MS)) await unlock(lock);
    await sleep(POLL_MS);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  try {
    await work();
  } finally {
    clearInterval(heartbeat);
    await unlock(lock);
  }
}

async function tryLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Another process may have taken the lock for abandoned, and removed it. */
async function unlock(lock: string): Promise<void> {
  try {
    await rmdir(lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

async function isAbandoned(path: string, silenceMs: number): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && Date.now() - status.mtimeMs > silenceMs;
}

/** Removes all but the newest libraries, and what killed builds left. A library in use stays mapped where it is used. */
export async function prune(folder: string): Promise<void> {
  const names = await readdir(folder);
  const libraries = await Promise.all(
    names
      .filter((name) => name.endsWith(".so"))
      .map(async (name) => ({
        name,
        time: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs,
      })),
  );
  libraries.sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
  const obsolete = libraries.slice(LIBRARIES_KEPT).map(({ name }) => name);
  for (const name of names) {
    if (/^\.new-/.test(name) && (await isAbandoned(join(folder, name), ABANDONED_MS))) obsolete.push(name);
  }
  for (const name of obsolete)
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
}

// One builder per cache: a lock file that names the process which holds it.
import { readFile, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { DataError } from "../errors.ts";

/** Locks of this process: its number in a file may also be that of an earlier process that was killed. */
const heldHere = new Set<string>();

/**
 * Takes the lock and returns how to release it. A lock whose process is gone is taken over.
 *
 * @throws DataError `DATA_CACHE_BUSY` when a living process of this machine holds it
 */
export async function acquireLock(lockFile: string): Promise<() => Promise<void>> {
  const path = resolve(lockFile);
  if (!(await create(path))) {
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    if (holder === process.pid ? heldHere.has(path) : isAlive(holder)) throw busy(path, holder);
    await rm(path, { force: true });
    if (!(await create(path))) throw busy(path, Number.NaN);
  }
  heldHere.add(path);
  return async () => {
    heldHere.delete(path);
    await rm(path, { force: true });
  };
}

async function create(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function busy(path: string, holder: number): DataError {
  const who = Number.isNaN(holder) ? "another process" : `process ${holder}`;
  const message = `${path}: ${who} is building this cache; wait for it, or delete the lock file if it is no such builder`;
  return new DataError("DATA_CACHE_BUSY", message, { path });
}

// One process at a time, without what Node has no call for: a lock is a file with its holder's name in it, kept fresh
// while it is held. What a killed process leaves behind is recognised and taken away.
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ModelError } from "../errors.ts";
import { fileError } from "../weights/file-reading.ts";

/** How waiting goes. */
export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when another process holds the lock. */
  onWait?(): void;
  /** Times other than the usual, for tests. */
  readonly times?: Partial<LockTimes>;
}

/** All in milliseconds. */
interface LockTimes {
  readonly heartbeat: number;
  readonly poll: number;
  /** after which a holder of this machine that is not running is believed to be gone */
  readonly deadAfter: number;
  /** after which a holder that shows no sign is believed to be gone, wherever it runs */
  readonly silentAfter: number;
}

const TIMES: LockTimes = { heartbeat: 1000, poll: 250, deadAfter: 3000, silentAfter: 60_000 };

/**
 * Does `work` while the lock file at `path` is held, after waiting for whoever holds it.
 *
 * @param work is given a signal: the caller's, or that the lock was lost, as after a long sleep of this process
 * @throws ModelError `MODEL_FILE_UNREADABLE` when the lock cannot be made, `MODEL_FETCH_FAILED` when it was lost
 */
export async function withLock<T>(
  path: string,
  work: (signal: AbortSignal) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const times = { ...TIMES, ...options.times };
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  try {
    await mkdir(dirname(path), { recursive: true });
    await acquire(path, mine, times, options);
  } catch (cause) {
    throw fileError(cause, path, "written");
  }
  const lost = new AbortController();
  const heartbeat = setInterval(async () => {
    if (await keepFresh(path, mine)) return;
    lost.abort(new ModelError("MODEL_FETCH_FAILED", `${path}: another process has taken over; start again`));
  }, times.heartbeat);
  heartbeat.unref();
  try {
    const signals = options.signal === undefined ? [lost.signal] : [lost.signal, options.signal];
    return await work(AbortSignal.any(signals));
  } finally {
    clearInterval(heartbeat);
    await release(path, mine);
  }
}

async function acquire(path: string, mine: string, times: LockTimes, options: LockOptions): Promise<void> {
  let seen: Seen | undefined;
  let since = 0;
  for (; !(await create(path, mine)); await sleep(times.poll)) {
    options.signal?.throwIfAborted();
    const now = await look(path);
    if (now === undefined) continue;
    if (seen === undefined) options.onWait?.();
    if (now.text !== seen?.text || now.modifiedMs !== seen.modifiedMs) since = performance.now();
    seen = now;
    const isSilent = performance.now() - since > times.silentAfter;
    const isDead = Date.now() - now.modifiedMs > times.deadAfter && !isRunning(now.text);
    if (isSilent || isDead) await takeAway(path, now.text, times);
  }
}

interface Seen {
  readonly text: string;
  readonly modifiedMs: number;
}

/** Whether the file was made: not when it is there already. */
async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function look(path: string): Promise<Seen | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    return { text: await readFile(path, "utf8"), modifiedMs: mtimeMs };
  } catch {
    return undefined; // it went meanwhile
  }
}

/** Whether the holder may be running: its process is here, or it is on a machine that cannot be asked. */
function isRunning(text: string): boolean {
  const { pid, host } = parse(text);
  if (host !== hostname() || pid === undefined) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function parse(text: string): { pid?: number; host?: string } {
  try {
    return JSON.parse(text) as { pid?: number; host?: string };
  } catch {
    return {}; // being written, or not by us
  }
}

/** Shows a sign of life; false when the lock is another's. */
async function keepFresh(path: string, mine: string): Promise<boolean> {
  if ((await look(path))?.text !== mine) return false;
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
  return true;
}

/** Gives the lock up, unless it is another's by now. */
async function release(path: string, mine: string): Promise<void> {
  if ((await look(path))?.text === mine) await rm(path, { force: true });
}

/** Removes a lock that a process left behind: one who waits at a time, so that none removes what the next has made. */
async function takeAway(path: string, left: string, { silentAfter }: LockTimes): Promise<void> {
  const guard = `${path}.breaking`;
  if (await create(guard, "")) {
    try {
      await release(path, left);
    } finally {
      await rm(guard, { force: true });
    }
  } else {
    const old = await look(guard);
    if (old !== undefined && Date.now() - old.modifiedMs > silentAfter) await rm(guard, { force: true });
  }
}

// Fetching over connections, disks and processes that fail: nothing is lost, and nothing wrong is kept.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  always,
  BIG,
  blobOf,
  bring,
  firstTimes,
  holds,
  hubWith,
  inModel,
  inRoot,
  useFolder,
  weights,
} from "./fixtures/fetching.ts";
import { digestOf, type Fault, type LoopbackHub } from "./fixtures/loopback-hub.ts";

useFolder();
const CHILD = fileURLToPath(new URL("./fixtures/fetch-child.ts", import.meta.url));

const ranges = (hub: LoopbackHub): (string | undefined)[] =>
  hub.filesAsked("store").map(({ headers }) => headers.range);

describe("fetchModel() over a bad connection", () => {
  it("goes on from the byte where a connection was dropped", async () => {
    const hub = await hubWith({
      misbehave: firstTimes({ dropAfter: 100_000 }, { dropAfter: 50_000 }, { dropAfter: 1 }),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(ranges(hub)[0]).toBeUndefined();
    for (const range of ranges(hub).slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(hub.sentBytes()).toBeLessThanOrEqual(BIG.length + 151_000);
  });

  it("is right with a server that ignores ranges", async () => {
    const hub = await hubWith({
      misbehave: firstTimes(
        { dropAfter: 200_000 },
        { ignoreRange: true, dropAfter: 250_000 },
        { ignoreRange: true },
      ),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("refuses bytes from another place than asked for", async () => {
    const hub = await hubWith({
      misbehave: firstTimes({ dropAfter: 100_000 }, { otherRange: true }),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("begins again when the server has less than came before", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ dropAfter: 100_000 }, { status: 416 }) });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("gives up a connection that falls silent, and goes on", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ stallAfter: 100_000 }) });
    const { path } = await bring(hub, { idleTimeoutMs: 200 });
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(ranges(hub)[1]).toBe("bytes=100000-");
  });

  it("brings wrong bytes again, from the start", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ content: weights(9) }) });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("notices that what came of an earlier call is wrong", async () => {
    const hub = await hubWith();
    const blobs = inModel("blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${digestOf(BIG, false)}.flacuna-partial`), weights(9, 1000));
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it.each<[string, Fault]>([
    ["as long as the right ones", { content: weights(9) }],
    ["without end", { content: weights(9, 400_000), isChunked: true }],
  ])("keeps nothing of wrong bytes, %s, and says so", async (_, fault) => {
    const hub = await hubWith({ misbehave: always(fault) });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_FETCH_CORRUPT",
      message: expect.stringContaining("model.safetensors"),
    });
    const names = await readdir(inModel("blobs"));
    expect(names.filter((name) => name.includes(digestOf(BIG, false)))).toEqual([]);
    expect(existsSync(inModel("refs"))).toBe(false);
  });

  it("refuses a page that somebody on the way sends in place of a file", async () => {
    const page = Buffer.from("<html>log in to this network</html>");
    const hub = await hubWith({ misbehave: always({ content: page }) });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
  });

  it("waits as the server asks, and tries again", async () => {
    const hub = await hubWith({
      misbehave: firstTimes(
        { status: 429, headers: { "retry-after": "0" } },
        { status: 503, headers: { "retry-after": new Date(Date.now() - 1000).toUTCString() } },
        { status: 500 },
        { status: 502 },
      ),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("gives up when asked to wait for long, and says for how long", async () => {
    const hub = await hubWith({ misbehave: always({ status: 429, headers: { "retry-after": "7200" } }) });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_FETCH_FAILED",
      message: expect.stringContaining("120 minutes"),
    });
  });

  it("gives up a server that keeps failing, and goes on from there when called again", async () => {
    let isBroken = true;
    const hub = await hubWith({
      misbehave: (request) => {
        if (!isBroken) return undefined;
        return firstTimes({ dropAfter: 100_000 })(request) ?? always({ status: 500 })(request);
      },
    });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
    const came = (await stat(`${blobOf(BIG)}.flacuna-partial`)).size;
    expect(came).toBeGreaterThan(0);
    isBroken = false;
    await bring(hub);
    expect(ranges(hub).at(-1)).toBe(`bytes=${came}-`);
  });

  it("gets a new address when the store says that one has expired", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ status: 403 }) });
    await bring(hub);
    expect(hub.filesAsked("hub").filter(({ path }) => path === "model.safetensors")).toHaveLength(2);
  });

  it("ends at once when told to, and goes on from there", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ pieceBytes: 10_000, pauseMs: 5 }) });
    const abort = new AbortController();
    const reason = new Error("interrupted");
    const ended = bring(hub, {
      signal: abort.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > 50_000) abort.abort(reason);
      },
    });
    await expect(ended).rejects.toBe(reason);
    await bring(hub);
    expect(Number(/\d+/.exec(ranges(hub).at(-1)!))).toBeGreaterThanOrEqual(50_000 - 100);
  });

  it("loses nothing when its process is killed", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ pieceBytes: 10_000, pauseMs: 20 }) });
    const args = [
      "--conditions=@flacuna/source",
      "--import",
      "tsx",
      CHILD,
      "maker/model",
      hub.url,
      inRoot("cache"),
    ];
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    const exit = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
    while (hub.sentBytes() < 100_000) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    expect(await exit).toBe("SIGKILL");
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(Number(/\d+/.exec(ranges(hub).at(-1)!))).toBeGreaterThan(0);
  });
});

describe("fetchModel() and others", () => {
  it("lets one process at a time fetch a model", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ pieceBytes: 100_000, pauseMs: 20 }) });
    let waits = 0;
    const onWait = () => {
      waits++;
    };
    await Promise.all([bring(hub, { onWait }), bring(hub, { onWait })]);
    expect(waits).toBe(1);
    expect(hub.filesAsked("store")).toHaveLength(1);
  });

  it("says what is wrong when the disk is full, before or while it writes", async () => {
    const hub = await hubWith();
    const blobs = inModel("blobs");
    await mkdir(blobs, { recursive: true });
    // Writing to this device fails as on a full disk.
    await symlink("/dev/full", join(blobs, `${digestOf(BIG, false)}.flacuna-partial`));
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_DISK_FULL" });
    await rm(join(blobs, `${digestOf(BIG, false)}.flacuna-partial`));
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("asks for no more than the disk holds", async () => {
    const listed = (entry: Record<string, unknown>) =>
      "lfs" in entry ? { ...entry, lfs: { ...(entry.lfs as object), size: 9e15 } } : entry;
    const hub = await hubWith({ listed });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_DISK_FULL",
      message: expect.stringContaining("GB are needed"),
    });
    expect(hub.filesAsked()).toEqual([]);
  });
});

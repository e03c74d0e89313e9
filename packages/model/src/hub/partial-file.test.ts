import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { digestOf } from "./fixtures/loopback-hub.ts";
import { PartialFile, partialBytes } from "./partial-file.ts";

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flacuna-partial-"));
  path = join(folder, "file");
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const BYTES = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
const content = (isInGit = false) => ({
  sizeBytes: BYTES.length,
  hash: { algorithm: isInGit ? "git-sha1" : "sha256", digest: digestOf(BYTES, isInGit) } as const,
});

describe("PartialFile", () => {
  it.each([true, false])(
    "is right when all of it came, in one process or two; in git: %s",
    async (isInGit) => {
      const first = await PartialFile.open(path, content(isInGit));
      await first.append(BYTES.subarray(0, 3000));
      expect(first.isRight).toBe(false);
      await first.close();
      expect(await partialBytes(path)).toBe(3000);
      const second = await PartialFile.open(path, content(isInGit));
      expect(second.sizeBytes).toBe(3000);
      await second.append(BYTES.subarray(3000));
      expect(second.isRight).toBe(true);
      await second.finish();
      await second.close();
      expect(new Uint8Array(await readFile(path))).toEqual(BYTES);
      expect(await partialBytes(path)).toBe(0);
    },
  );

  it("takes no more than the file's size, and is not right with other bytes", async () => {
    const file = await PartialFile.open(path, content());
    await file.append(new Uint8Array(BYTES.length + 100));
    expect(file.sizeBytes).toBe(BYTES.length);
    expect(file.isRight).toBe(false);
    await file.close();
  });

  it("keeps what could be written before the disk was full", async () => {
    const file = await PartialFile.open(path, content());
    const handle = await open(path, "w");
    const prototype = Object.getPrototypeOf(handle) as typeof handle;
    await handle.close();
    const write = prototype.write as (...args: unknown[]) => Promise<{ bytesWritten: number }>;
    let calls = 0;
    vi.spyOn(prototype, "write").mockImplementation(function (this: unknown, ...args: unknown[]) {
      const [bytes, from, length, position] = args as [Uint8Array, number, number, number];
      calls++;
      if (calls === 1) return write.call(this, bytes, from, Math.min(length, 1234), position) as never;
      return Promise.reject(
        Object.assign(new Error("no space"), { code: "ENOSPC", syscall: "write" }),
      ) as never;
    });
    await expect(file.append(BYTES)).rejects.toMatchObject({ code: "MODEL_DISK_FULL" });
    vi.restoreAllMocks();
    await file.close();
    const again = await PartialFile.open(path, content());
    expect(again.sizeBytes).toBe(1234);
    await again.append(BYTES.subarray(1234));
    expect(again.isRight).toBe(true);
    await again.close();
  });
});

import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mapFile } from "./mapped-file.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mapped-"));
  path = join(folder, "file");
  await writeFile(path, Float32Array.of(1, 2, 3, 4));
});
afterEach(() => rm(folder, { recursive: true }));

async function map() {
  const file = await open(path);
  try {
    return mapFile(file.fd, 16)!;
  } finally {
    await file.close();
  }
}

describe.skipIf(process.platform === "win32")("mapFile()", () => {
  it("gives parts of a file, also when it has been deleted", async () => {
    const mapped = await map();
    await rm(path);
    expect([...new Float32Array(mapped.bytes(4, 8))]).toEqual([2, 3]);
    expect(mapped.bytes(16, 0).byteLength).toBe(0);
  });

  it("keeps what is written to itself", async () => {
    const floats = new Float32Array((await map()).bytes(0, 16));
    floats[0] = 9;
    expect(floats[0]).toBe(9);
    expect(new Float32Array((await map()).bytes(0, 4))[0]).toBe(1);
    expect((await readFile(path)).readFloatLE(0)).toBe(1);
  });

  it("refuses what lies outside of the file", async () => {
    const mapped = await map();
    expect(() => mapped.bytes(8, 9)).toThrow(RangeError);
    expect(() => mapped.bytes(-1, 1)).toThrow(RangeError);
  });

  it("maps nothing where there is nothing to map", () => {
    expect(mapFile(-1, 16)).toBeUndefined();
    expect(mapFile(0, 0)).toBeUndefined();
  });
});

// How a process ends that never disposed what it made: in a process of its own, since this one must go on.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const child = fileURLToPath(new URL("./fixtures/exit-child.ts", import.meta.url));

describe("the end of a process", () => {
  it.each(["idle", "while-running"])("is clean when sessions were left %s", async (state) => {
    // A crash, or an exit code other than 0, rejects.
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--import", "tsx", child, state]);
    expect([stdout, stderr]).toEqual(["ready", ""]);
  });
});

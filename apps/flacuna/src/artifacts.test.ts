import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashOf, runStage } from "./artifacts.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flacuna-artifacts-"));
});
afterEach(() => rm(root, { recursive: true }));

/** A stage that counts how often it ran and can die half-way. */
function counting() {
  const runs: string[] = [];
  const run = (inputs: unknown, dies = false) =>
    runStage(root, "train", inputs, async (folder) => {
      runs.push(existsSync(join(folder, "partial")) ? "went on" : "began");
      await writeFile(join(folder, "partial"), "half");
      if (dies) throw new Error("killed");
      return { answer: 42 };
    });
  return { runs, run };
}

describe("runStage()", () => {
  it("skips a stage whose result for the same inputs is there", async () => {
    const { runs, run } = counting();
    const first = await run({ a: 1 });
    const second = await run({ a: 1 });
    expect(runs).toEqual(["began"]);
    expect([first.isReused, second.isReused, second.result]).toEqual([false, true, { answer: 42 }]);
  });

  it("runs again, from an empty folder, when an input changed", async () => {
    const { runs, run } = counting();
    await run({ a: 1 });
    await run({ a: 2 });
    expect(runs).toEqual(["began", "began"]);
  });

  it("goes on in the folder of a killed run of the same inputs", async () => {
    const { runs, run } = counting();
    await expect(run({ a: 1 }, true)).rejects.toThrow("killed");
    expect((await run({ a: 1 })).isReused).toBe(false);
    expect(runs).toEqual(["began", "went on"]);
  });

  it("does not take the leftovers of other inputs for its own", async () => {
    const { runs, run } = counting();
    await expect(run({ a: 1 }, true)).rejects.toThrow("killed");
    await run({ a: 2 });
    expect(runs).toEqual(["began", "began"]);
  });

  it("records what the result was made from", async () => {
    await counting().run({ a: 1 });
    const record = JSON.parse(await readFile(join(root, "train", "stage.json"), "utf8")) as { key: string };
    expect(record.key).toBe(hashOf({ inputs: { a: 1 }, stage: "train" }));
  });
});

describe("hashOf()", () => {
  it("does not depend on the order of keys", () => {
    expect(hashOf({ a: 1, b: [2, { c: 3, d: 4 }] })).toBe(hashOf({ b: [2, { d: 4, c: 3 }], a: 1 }));
    expect(hashOf({ a: 1 })).not.toBe(hashOf({ a: 2 }));
  });
});

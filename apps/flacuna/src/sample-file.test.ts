import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SampleRecord } from "@flacuna/eval";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSampleFile } from "./sample-file.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flacuna-samples-"));
});
afterEach(() => rm(folder, { recursive: true }));

const record = (gold: string): SampleRecord => ({
  documentId: gold,
  group: "",
  sampleIndex: 0,
  promptHash: "",
  shots: 3,
  isOverlong: false,
  prediction: "A\nB",
  answer: "A",
  gold,
  isCorrect: false,
});

describe("openSampleFile()", () => {
  it("finds again what was put, also after a line was cut off by a kill", async () => {
    const path = join(folder, "samples.jsonl");
    const first = await openSampleFile(path);
    await first.put("one", record("1"));
    await appendFile(path, '["two",{"docu');
    const second = await openSampleFile(path);
    await second.put("three", record("3"));
    const third = await openSampleFile(path);
    expect(third.get("one")).toEqual(record("1"));
    expect(third.get("two")).toBeUndefined();
    expect(third.get("three")).toEqual(record("3"));
  });
});

import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { exampleOf } from "../fixtures/examples.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import type { InstructionExample } from "../instruction-example.ts";
import { readInstructionFile } from "./instruction-file.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const MEBIBYTE = 2 ** 20;
const ROWS_PER_BLOCK = 100;
const folder = temporaryFolder();

interface Layout {
  readonly start: string;
  readonly separator: string;
  readonly end: string;
}

/** Writes about half a megabyte per block of 100 rows, block by block. */
function writeLargeFile(name: string, blocks: number, parts: Layout): string {
  const path = join(folder, name);
  const text = "A question of some length, as they are in few-shot prompts. ".repeat(40);
  const file = openSync(path, "w");
  writeSync(file, parts.start);
  for (let block = 0; block < blocks; block++) {
    const rows = Array.from({ length: ROWS_PER_BLOCK }, (_, i) =>
      JSON.stringify(exampleOf(`row_${block * ROWS_PER_BLOCK + i}`, "cot_gsm8k", `Q\n${text}`, `A\n${text}`)),
    );
    writeSync(file, (block === 0 ? "" : parts.separator) + rows.join(parts.separator));
  }
  writeSync(file, parts.end);
  closeSync(file);
  return path;
}

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The most that live memory grew while the rows streamed by. */
async function memoryGrowth(
  examples: AsyncIterable<InstructionExample>,
): Promise<{ rows: number; bytes: number }> {
  const before = usedBytes();
  let rows = 0;
  let bytes = 0;
  for await (const _ of examples) {
    rows++;
    if (rows % 500 === 0) bytes = Math.max(bytes, usedBytes() - before);
  }
  return { rows, bytes };
}

describe("readInstructionFile()", () => {
  it.each([
    ["large.json", 50, 100, { start: "[\n", separator: ",\n", end: "\n]\n" }],
    ["large.jsonl", 15, 30, { start: "", separator: "\n", end: "\n" }],
  ])("reads %s of %i MB in memory of a few chunks", async (name, _, blocks, parts) => {
    const growth = await memoryGrowth(readInstructionFile(writeLargeFile(name, blocks, parts)));
    expect(growth.rows).toBe(blocks * ROWS_PER_BLOCK);
    expect(growth.bytes).toBeLessThan(8 * MEBIBYTE);
  });
});

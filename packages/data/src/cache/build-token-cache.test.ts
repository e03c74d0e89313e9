import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { BYTE_TOKENIZER } from "../fixtures/byte-tokenizer.ts";
import { exampleOf, manyExamples } from "../fixtures/examples.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { VICUNA } from "../fixtures/vicuna-template.ts";
import type { InstructionExample } from "../instruction-example.ts";
import { tokenizeExample } from "../tokenize.ts";
import { type BuildTokenCacheOptions, buildTokenCache } from "./build-token-cache.ts";
import { TokenizedDataset } from "./tokenized-dataset.ts";

const folder = temporaryFolder();
const COUNT = 400;
const examples = manyExamples(COUNT);
const common = {
  tokenizer: BYTE_TOKENIZER,
  template: VICUNA,
  hashes: { tokenizer: "bytes", source: "many" },
  maxLength: 320,
  checkpointRows: 100,
};

let folders = 0;
const newDirectory = (): string => join(folder, `cache-${folders++}`);

async function build(directory: string, options: Partial<BuildTokenCacheOptions> = {}) {
  const dataset = await buildTokenCache({ ...common, examples, directory, ...options });
  dataset[Symbol.dispose]();
  return dataset.manifest;
}

/** Name and content of every file of a folder. */
function contentOf(directory: string): [string, string][] {
  return readdirSync(directory)
    .sort()
    .map((name) => [name, readFileSync(join(directory, name)).toString("base64")]);
}

describe("buildTokenCache()", () => {
  it("gives every row as direct rendering does", async () => {
    const dataset = await buildTokenCache({ ...common, examples, directory: newDirectory() });
    expect(dataset.length).toBe(COUNT);
    for (const [i, example] of examples.entries()) {
      const { inputIds, labels } = dataset.get(i);
      expect(await tokenizeExample(example, common)).toMatchObject({
        inputIds: [...inputIds],
        labels: [...labels],
      });
      expect(dataset.tokenCount(i)).toBe(inputIds.length);
      expect(dataset.originOf(i)).toEqual({ source: example.source, row: i });
    }
    dataset[Symbol.dispose]();
  });

  it("stores ids above 65,535", async () => {
    const tokenizer = { ...BYTE_TOKENIZER, vocabSize: 100_000, encode: () => [1, 99_999, 2, 70_000] };
    const directory = newDirectory();
    const dataset = await buildTokenCache({
      ...common,
      tokenizer,
      examples: examples.slice(0, 2),
      directory,
    });
    expect(dataset.manifest.tokenType).toBe("uint32");
    expect([...dataset.get(1).inputIds]).toEqual([1, 99_999, 2, 70_000]);
    dataset[Symbol.dispose]();
  });

  it("counts what became of the rows, and keeps rows without loss in their places", async () => {
    const rows = [
      exampleOf("a", "cot_creak", "Why?", "Because."),
      exampleOf("b", "sharegpt"),
      exampleOf("c", "sharegpt", "Unanswered?"),
      { ...exampleOf("d", "sharegpt"), conversations: [...examples[0]!.conversations].reverse().slice(0, 1) },
      { ...exampleOf("e", "sharegpt"), conversations: Array(2).fill({ from: "human", value: "x" }) },
      exampleOf("f", "cot_creak", "long ".repeat(100), "y"),
    ];
    const directory = newDirectory();
    const dataset = await buildTokenCache({ ...common, examples: rows, directory });
    expect(dataset.manifest.counts).toMatchObject({
      rows: 6,
      samples: 3,
      truncated: 1,
      trainedTokens: " Because.</s>".length - "</s>".length + 1,
      dropped: { empty: 2, alternation: 1 },
      withoutLoss: { lastFromHuman: 1, truncatedWithoutLoss: 1 },
    });
    expect([0, 1, 2].map((i) => dataset.originOf(i).row)).toEqual([0, 2, 5]);
    expect(dataset.get(1).labels.every((label) => label === -100)).toBe(true);
    dataset[Symbol.dispose]();
  });

  it("leaves out rows without loss when asked to", async () => {
    const rows = [exampleOf("a", "x", "Unanswered?"), exampleOf("b", "x", "Q", "A")];
    const { counts } = await build(newDirectory(), { examples: rows, rowsWithoutLoss: "skip" });
    expect(counts).toMatchObject({ rows: 2, samples: 1, withoutLoss: { lastFromHuman: 1 } });
  });

  it("touches no row when the cache is there", async () => {
    const directory = newDirectory();
    const first = await build(directory);
    const unreadable = (function* (): Generator<InstructionExample> {
      yield expect.unreachable("a row was read");
    })();
    expect(await build(directory, { examples: unreadable })).toEqual(first);
  });

  it.each([
    ["the tokenizer", { hashes: { tokenizer: "other", source: "many" } }],
    ["the source", { hashes: { tokenizer: "bytes", source: "other" } }],
    ["the template", { template: { ...VICUNA, format: () => "x" } }],
    ["the limit", { maxLength: 100 }],
    ["the rows kept", { rowsWithoutLoss: "skip" }],
  ] as const)("replaces a cache when %s is another", async (_, change) => {
    const directory = newDirectory();
    const few = examples.slice(0, 3);
    const { key } = await build(directory, { examples: few });
    expect((await build(directory, { ...change, examples: few })).key).not.toBe(key);
  });

  it("leaves a folder alone that holds something else", async () => {
    const directory = newDirectory();
    cpSync(fileURLToPath(new URL("../fixtures", import.meta.url)), directory, { recursive: true });
    const before = contentOf(directory);
    await expect(build(directory)).rejects.toMatchObject({ code: "DATA_OPTION_INVALID" });
    expect(contentOf(directory)).toEqual(before);
  });

  it("refuses ids beyond the tokenizer's vocabulary", async () => {
    const tokenizer = { ...BYTE_TOKENIZER, vocabSize: 50 };
    await expect(build(newDirectory(), { tokenizer })).rejects.toMatchObject({
      code: "DATA_TOKEN_OUT_OF_RANGE",
    });
  });

  it("tells progress in rows", async () => {
    const rows: number[] = [];
    await build(newDirectory(), { onProgress: (counts) => rows.push(counts.rows) });
    expect(rows.at(-1)).toBe(COUNT);
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
  });
});

describe("a build that was killed", () => {
  /** What the disk holds when the build asks for each of the given rows: what `kill -9` at that point leaves. */
  async function stateAtRows(rows: readonly number[]): Promise<Map<number, string>> {
    const directory = newDirectory();
    const states = new Map<number, string>();
    const watched = function* (): Generator<InstructionExample> {
      for (const [i, example] of examples.entries()) {
        if (rows.includes(i)) {
          const copy = newDirectory();
          cpSync(`${directory}.partial`, `${copy}.partial`, { recursive: true });
          states.set(i, copy);
        }
        yield example;
      }
    };
    await build(directory, { examples: watched() });
    return states;
  }

  it("ends in the same bytes as one that was not, wherever it was killed", async () => {
    const whole = newDirectory();
    await build(whole);
    for (const [, directory] of await stateAtRows([0, 63, 130, 200, 320, 399])) {
      await build(directory);
      expect(contentOf(directory)).toEqual(contentOf(whole));
    }
  });

  it("is never taken for a whole cache", async () => {
    for (const [, directory] of await stateAtRows([0, 200, 399])) {
      await expect(TokenizedDataset.open(directory)).rejects.toMatchObject({ code: "DATA_CACHE_MISSING" });
      await expect(TokenizedDataset.open(`${directory}.partial`)).rejects.toMatchObject({
        code: "DATA_CACHE_MISSING",
      });
    }
  });

  it("goes on from its last checkpoint without tokenizing earlier rows again", async () => {
    const directory = (await stateAtRows([399])).get(399)!;
    const tokenized = new Set<string>();
    const tokenizer = {
      ...BYTE_TOKENIZER,
      encode(text: string) {
        tokenized.add(text);
        return BYTE_TOKENIZER.encode(text);
      },
    };
    await build(directory, { tokenizer });
    expect([...tokenized].some((text) => text.includes("Question 150:"))).toBe(false);
    expect([...tokenized].some((text) => text.includes("Question 399:"))).toBe(true);
  });

  it("cuts off what was written after its last checkpoint", async () => {
    const [whole, directory] = [newDirectory(), (await stateAtRows([320])).get(320)!];
    await build(whole);
    for (const name of ["tokens.bin", "index.bin", "mask.bin"])
      appendFileSync(join(`${directory}.partial`, name), "torn");
    await build(directory);
    expect(contentOf(directory)).toEqual(contentOf(whole));
  });

  it("begins anew when a file is shorter than its checkpoint says", async () => {
    const [whole, directory] = [newDirectory(), (await stateAtRows([320])).get(320)!];
    await build(whole);
    truncateSync(join(`${directory}.partial`, "mask.bin"), 8);
    await build(directory);
    expect(contentOf(directory)).toEqual(contentOf(whole));
  });

  it("begins anew when the inputs have changed", async () => {
    const directory = (await stateAtRows([320])).get(320)!;
    const other = { maxLength: 200 };
    const whole = newDirectory();
    await build(whole, other);
    await build(directory, other);
    expect(contentOf(directory)).toEqual(contentOf(whole));
  });

  it("goes on after an aborted build", async () => {
    const [whole, directory] = [newDirectory(), newDirectory()];
    await build(whole);
    const controller = new AbortController();
    const onProgress = ({ rows }: { rows: number }) => rows > 250 && controller.abort(new Error("enough"));
    await expect(build(directory, { signal: controller.signal, onProgress })).rejects.toThrow("enough");
    expect(existsSync(`${directory}.lock`)).toBe(false);
    await build(directory);
    expect(contentOf(directory)).toEqual(contentOf(whole));
  });

  it("goes on after SIGKILL, whose lock is taken over", async () => {
    const [whole, directory] = [newDirectory(), newDirectory()];
    await build(whole);
    const script = join(folder, "killed.mts");
    const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    writeFileSync(
      script,
      `import { buildTokenCache } from ${module("./build-token-cache.ts")};
      import { BYTE_TOKENIZER as tokenizer } from ${module("../fixtures/byte-tokenizer.ts")};
      import { manyExamples } from ${module("../fixtures/examples.ts")};
      import { VICUNA as template } from ${module("../fixtures/vicuna-template.ts")};
      function* examples() {
        for (const [i, example] of manyExamples(${COUNT}).entries()) {
          if (i === 330) process.kill(process.pid, "SIGKILL");
          yield example;
        }
      }
      const { hashes, maxLength, checkpointRows } = ${JSON.stringify(common)};
      await buildTokenCache({ directory: ${JSON.stringify(directory)}, examples: examples(), tokenizer, template, hashes, maxLength, checkpointRows });`,
    );
    const tsx = import.meta.resolve("tsx");
    const { signal, stderr } = spawnSync(process.execPath, ["--import", tsx, script], { encoding: "utf8" });
    expect(signal, stderr).toBe("SIGKILL");
    expect(existsSync(`${directory}.lock`)).toBe(true);
    expect(existsSync(join(`${directory}.partial`, "progress.json"))).toBe(true);
    await build(directory);
    expect(contentOf(directory)).toEqual(contentOf(whole));
  });

  it("is left to the process that is still building it", async () => {
    const directory = newDirectory();
    writeFileSync(`${directory}.lock`, String(process.ppid));
    await expect(build(directory)).rejects.toMatchObject({ code: "DATA_CACHE_BUSY" });
  });

  it("is taken over by a process that has its number", async () => {
    const directory = newDirectory();
    writeFileSync(`${directory}.lock`, String(process.pid));
    expect((await build(directory)).counts.rows).toBe(COUNT);
  });

  it("is built once when it is asked for twice at a time", async () => {
    const directory = newDirectory();
    const outcomes = await Promise.allSettled([build(directory), build(directory)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "DATA_CACHE_BUSY" },
    });
  });
});

describe("TokenizedDataset", () => {
  it("says that there is no cache", async () => {
    await expect(TokenizedDataset.open(newDirectory())).rejects.toMatchObject({ code: "DATA_CACHE_MISSING" });
  });

  it("refuses a cache with a file of another size", async () => {
    const directory = newDirectory();
    await build(directory);
    appendFileSync(join(directory, "index.bin"), "x");
    await expect(TokenizedDataset.open(directory)).rejects.toThrow(
      /index\.bin: has \d+ bytes, its manifest says \d+/,
    );
    await expect(TokenizedDataset.open(directory)).rejects.toMatchObject({ code: "DATA_CACHE_CORRUPT" });
  });

  it("refuses a manifest that is not one", async () => {
    const directory = newDirectory();
    await build(directory, { examples: [] });
    writeFileSync(join(directory, "manifest.json"), "{}");
    await expect(TokenizedDataset.open(directory)).rejects.toMatchObject({ code: "DATA_CACHE_CORRUPT" });
  });

  it("refuses other content than expected", async () => {
    const directory = newDirectory();
    const { key } = await build(directory, { examples: [] });
    await expect(TokenizedDataset.open(directory, { expectedKey: "x" })).rejects.toMatchObject({
      code: "DATA_CACHE_MISMATCH",
    });
    const dataset = await TokenizedDataset.open(directory, { expectedKey: key });
    expect(() => dataset.get(0)).toThrow(expect.objectContaining({ code: "DATA_INDEX_OUT_OF_RANGE" }));
    dataset[Symbol.dispose]();
  });
});

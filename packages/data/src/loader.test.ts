import { describe, expect, it } from "vitest";
import type { TokenBatch } from "./collate.ts";
import { rowsInMemory } from "./fixtures/rows.ts";
import { TokenLoader, type TokenLoaderOptions } from "./loader.ts";
import { splitRows } from "./split.ts";
import { selectRows } from "./tokenized-rows.ts";

const rows = rowsInMemory(53, (row) => 1 + ((row * 7) % 20));
const base = { rows, batchSize: 4, padTokenId: 0, seed: 11 };

const loaders: [string, TokenLoaderOptions][] = [
  ["plain", base],
  ["of three epochs", { ...base, epochs: 3 }],
  ["of one rank of two", { ...base, rank: 1, worldSize: 2 }],
  ["grouped by length", { ...base, lengthGroupWindow: 4, epochs: 2 }],
  ["in order", { ...base, shuffle: false }],
];

async function batchesOf(loader: TokenLoader, count = Number.POSITIVE_INFINITY): Promise<TokenBatch[]> {
  const batches: TokenBatch[] = [];
  if (count === 0) return batches;
  for await (const batch of loader) if (batches.push(batch) >= count) break;
  return batches;
}

/** The row each line of a batch came from. */
const rowsOf = ({ inputIds, batchSize, sequenceLength }: TokenBatch): number[] =>
  Array.from({ length: batchSize }, (_, b) => Number(inputIds[b * sequenceLength]) - 1);

const paddingOf = (batches: readonly TokenBatch[]): number =>
  batches.reduce((sum, { attentionMask }) => sum + attentionMask.filter((mask) => mask === 0n).length, 0);

describe("TokenLoader", () => {
  it.each(loaders)("goes on after a restore as if it had never stopped: %s", async (_, options) => {
    const uninterrupted = await batchesOf(new TokenLoader(options));
    for (const stop of [0, 1, 5, uninterrupted.length - 1, uninterrupted.length]) {
      const first = new TokenLoader(options);
      const before = await batchesOf(first, stop);
      const second = new TokenLoader(options);
      second.restore(JSON.parse(JSON.stringify(first.state())));
      expect([...before, ...(await batchesOf(second))]).toEqual(uninterrupted);
    }
  });

  it.each(loaders)("gives the same micro-batches again: %s", async (_, options) => {
    expect(await batchesOf(new TokenLoader(options))).toEqual(await batchesOf(new TokenLoader(options)));
  });

  it.each([1, 3])(
    "gives every row once in each epoch, grouped over %i micro-batches",
    async (lengthGroupWindow) => {
      const batches = await batchesOf(new TokenLoader({ ...base, lengthGroupWindow, epochs: 2 }));
      const seen = batches.flatMap(rowsOf);
      const expected = Array.from({ length: 53 }, (_, i) => i);
      expect(seen.slice(0, 53).sort((a, b) => a - b)).toEqual(expected);
      expect(seen.slice(53).sort((a, b) => a - b)).toEqual(expected);
      expect(seen.slice(53)).not.toEqual(seen.slice(0, 53));
    },
  );

  it("parts each epoch between the ranks", async () => {
    const shards = [0, 1, 2].map((rank) => batchesOf(new TokenLoader({ ...base, rank, worldSize: 3 })));
    const seen = (await Promise.all(shards)).flat().flatMap(rowsOf);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 53 }, (_, i) => i));
  });

  it("keeps a row's tokens and labels, whatever batch it is in", async () => {
    for (const batch of await batchesOf(new TokenLoader({ ...base, padToMultipleOf: 8 }))) {
      for (const [b, index] of rowsOf(batch).entries()) {
        const { inputIds, labels } = rows.get(index);
        const start = b * batch.sequenceLength;
        const end = start + inputIds.length;
        expect([...batch.inputIds.subarray(start, end)].map(Number)).toEqual([...inputIds]);
        expect([...batch.labels.subarray(start, end)].map(Number)).toEqual([...labels]);
      }
    }
  });

  it("pads less when rows are grouped by length", async () => {
    const plain = await batchesOf(new TokenLoader(base));
    const grouped = await batchesOf(new TokenLoader({ ...base, lengthGroupWindow: 14 }));
    expect(paddingOf(grouped)).toBeLessThan(paddingOf(plain) / 2);
  });

  it("has the paper's 166,682 micro-batches of two per rank of four", () => {
    const { train } = splitRows(1_340_153);
    const paper = selectRows(
      rowsInMemory(1_340_153, () => 1),
      train,
    );
    const loader = new TokenLoader({ rows: paper, batchSize: 2, padTokenId: 0, seed: 42, worldSize: 4 });
    expect(loader.batchesPerEpoch).toBe(166_682);
    expect(loader.samplesAt(0, 166_681)).toHaveLength(1);
    expect(Math.floor(loader.batchesPerEpoch / 16)).toBe(10_417);
  });

  it("ends at once without rows or epochs", async () => {
    expect(await batchesOf(new TokenLoader({ ...base, rows: selectRows(rows, []) }))).toEqual([]);
    expect(await batchesOf(new TokenLoader({ ...base, epochs: 0 }))).toEqual([]);
  });

  it("refuses the state of a loader with other options", () => {
    const state = new TokenLoader(base).state();
    const restore = (change: Partial<TokenLoaderOptions>) => () =>
      new TokenLoader({ ...base, ...change }).restore(state);
    expect(restore({ seed: 12 })).toThrow("its seed is 11, this loader's is 12");
    expect(restore({ batchSize: 8 })).toThrow(expect.objectContaining({ code: "DATA_STATE_MISMATCH" }));
    expect(restore({ rows: selectRows(rows, [1]) })).toThrow("its length is 53, this loader's is 1");
  });

  it("refuses a place that it does not have", () => {
    const loader = new TokenLoader(base);
    const { identity } = loader.state();
    expect(() => loader.restore({ epoch: 0, batch: 14, identity })).toThrow("no micro-batch 14 of epoch 0");
    expect(() => loader.samplesAt(0, 14)).toThrow("no micro-batch 14");
  });

  it("refuses a batch size of nothing", () => {
    expect(() => new TokenLoader({ ...base, batchSize: 0 })).toThrow(
      "batchSize must be an integer of at least 1",
    );
  });
});

describe("selectRows()", () => {
  it("gives the rows with the given numbers", () => {
    const selected = selectRows(rows, [5, 3]);
    expect([selected.length, selected.get(1).inputIds[0], selected.tokenCount(0)]).toEqual([
      2,
      4,
      rows.tokenCount(5),
    ]);
    expect(() => selected.get(2)).toThrow("no row 2");
  });
});

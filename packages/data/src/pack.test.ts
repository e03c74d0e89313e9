import { describe, expect, it } from "vitest";
import type { TokenBatch } from "./collate.ts";
import { rowsInMemory } from "./fixtures/rows.ts";
import { TokenLoader } from "./loader.ts";
import { firstFitDecreasing, packRows } from "./pack.ts";
import type { TokenizedRow, TokenizedRows } from "./tokenized-rows.ts";

const rows = rowsInMemory(97, (row) => 1 + ((row * 7) % 20));
const options = { capacity: 32, window: 40, seed: 3 };

const all = (view: TokenizedRows): TokenizedRow[] =>
  Array.from({ length: view.length }, (_, index) => view.get(index));

async function batchesOf(loader: TokenLoader, count = Number.POSITIVE_INFINITY): Promise<TokenBatch[]> {
  const batches: TokenBatch[] = [];
  for await (const batch of loader) if (batches.push(batch) >= count) break;
  return batches;
}

/** The documents of a packed row. */
function documentsOf({ inputIds, labels, starts }: TokenizedRow) {
  const first = [...new Set(starts)];
  return first.map((start, index) => {
    const end = first[index + 1] ?? inputIds.length;
    return { inputIds: [...inputIds.subarray(start, end)], labels: [...labels.subarray(start, end)] };
  });
}

describe("packRows()", () => {
  const packed = packRows(rows, options);

  it("holds every row once, whole", () => {
    const documents = all(packed).flatMap(documentsOf);
    const got = documents.map(({ inputIds }) => inputIds).sort((a, b) => a[0]! - b[0]!);
    expect(got).toEqual(all(rows).map(({ inputIds }) => [...inputIds]));
  });

  it("keeps the labels, but for the first token after another document, which nothing predicts", () => {
    for (const row of all(packed)) {
      for (const [index, { inputIds, labels }] of documentsOf(row).entries()) {
        const expected = [...rows.get(inputIds[0]! - 1).labels];
        expect(labels).toEqual(index === 0 ? expected : expected.with(0, -100));
      }
    }
  });

  it("fills rows to the capacity and never over it", () => {
    const counts = all(packed).map(({ inputIds }) => inputIds.length);
    expect(Math.max(...counts)).toBe(32);
    expect(counts).toEqual(Array.from({ length: packed.length }, (_, index) => packed.tokenCount(index)));
    expect(counts.reduce((a, b) => a + b) / (32 * counts.length)).toBeGreaterThan(0.9);
  });

  it("packs the same for the same options, otherwise for another seed", () => {
    expect(all(packRows(rows, options))).toEqual(all(packed));
    expect(all(packRows(rows, { ...options, seed: 4 }))).not.toEqual(all(packed));
  });

  it("leaves a row that is too long alone", () => {
    const alone = packRows(rows, { ...options, capacity: 4 });
    const long = all(alone).filter(({ inputIds }) => inputIds.length > 4);
    expect(long.length).toBe(all(rows).filter(({ inputIds }) => inputIds.length > 4).length);
    for (const row of long) expect(documentsOf(row)).toHaveLength(1);
  });

  it("can be left and taken up again by a loader", async () => {
    const loaderOf = () => new TokenLoader({ rows: packed, batchSize: 2, padTokenId: 0, epochs: 2, seed: 1 });
    const uninterrupted = await batchesOf(loaderOf());
    const first = loaderOf();
    const before = await batchesOf(first, 15);
    const second = loaderOf();
    second.restore(first.state());
    expect([...before, ...(await batchesOf(second))]).toEqual(uninterrupted);
  });

  it("refuses a row that it does not have, and options of nothing", () => {
    expect(() => packed.get(packed.length)).toThrow(`no row ${packed.length}`);
    expect(() => packRows(rows, { capacity: 0 })).toThrow("capacity must be an integer");
    expect(() => packRows(rows, { capacity: 8, window: 0 })).toThrow("window must be an integer");
  });
});

describe("firstFitDecreasing()", () => {
  it("puts the longest first and each where it fits first", () => {
    expect(firstFitDecreasing([3, 7, 5, 4, 1], (sample) => sample, 10)).toEqual([
      [7, 3],
      [5, 4, 1],
    ]);
  });
});

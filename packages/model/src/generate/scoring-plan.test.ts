import { describe, expect, it } from "vitest";
import { planScoring } from "./scoring-plan.ts";

const LIMITS = { maxBatchSize: 4, maxBatchTokens: 1000 };
const request = (contextIds: number[], continuationIds: number[]) => ({ contextIds, continuationIds });
const shot = Array.from({ length: 20 }, (_, i) => i);

describe("planScoring()", () => {
  it("runs requests once that differ in their last token alone", () => {
    const { batches, chains } = planScoring([request([1, 2], [3]), request([1, 2], [4])], LIMITS);
    expect(chains).toEqual([]);
    expect(batches).toEqual([
      [
        {
          ids: [1, 2],
          readers: [
            { request: 0, first: 1, targets: [3] },
            { request: 1, first: 1, targets: [4] },
          ],
        },
      ],
    ]);
  });

  it("chains sequences with a long common beginning, in the order that shares most", () => {
    const { chains, batches } = planScoring(
      [
        request([...shot, 7, 8], [1]),
        request([99], [1]),
        request([...shot, 5], [1]),
        request([...shot, 7, 9], [1]),
      ],
      LIMITS,
    );
    expect(chains.map((chain) => chain.map(({ readers }) => readers[0]!.request))).toEqual([[2, 0, 3]]);
    expect(batches.map((batch) => batch.map(({ ids }) => ids))).toEqual([[[99]]]);
  });

  it("runs nothing for empty continuations", () => {
    expect(planScoring([request([1], [])], LIMITS)).toEqual({ batches: [], chains: [] });
  });

  it("bounds the rows that go through the output head together", () => {
    const long = Array.from({ length: 300 }, (_, i) => i);
    const { batches } = planScoring([request([1], long), request([2], long), request([3], [4])], {
      maxBatchSize: 4,
      maxBatchTokens: 10_000,
    });
    expect(batches.map((batch) => batch.length)).toEqual([1, 2]);
  });

  it("scores every request exactly once", () => {
    const requests = Array.from({ length: 60 }, (_, i) =>
      request(shot.slice(0, 1 + (i % 7)), [i % 3, i % 5]),
    );
    const { batches, chains } = planScoring(requests, LIMITS);
    const read = [...batches, ...chains]
      .flat()
      .flatMap(({ readers }) => readers.map((reader) => reader.request));
    expect(read.sort((a, b) => a - b)).toEqual(requests.map((_, i) => i));
  });
});

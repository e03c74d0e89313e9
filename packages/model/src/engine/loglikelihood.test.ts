import { describe, expect, it } from "vitest";
import { compareRequests, groupRequests, type LoglikelihoodRequest, Scoring } from "./loglikelihood.ts";
import type { StepResult } from "./step-model.ts";

const request = (contextIds: number[], continuationIds: number[], adapter = 0): LoglikelihoodRequest => ({
  contextIds,
  continuationIds,
  adapter,
});
const indexed = (requests: LoglikelihoodRequest[]) =>
  requests.map((each, index) => ({ index, request: each }));
const result = (token: number, logProb: number, isGreedy = true): StepResult => ({
  token,
  logProb,
  isGreedy,
  top: [],
});

describe("compareRequests()", () => {
  it("looks at the tokens that run, wherever the context ends", () => {
    expect(compareRequests(request([1, 2], [3, 4]), request([1], [2, 3, 9]))).toBe(0);
    expect(compareRequests(request([1], [2, 3]), request([1, 2], [4, 5]))).toBeLessThan(0);
    expect(compareRequests(request([1, 3], [2]), request([1, 2], [2]))).toBeGreaterThan(0);
    expect(compareRequests(request([9], [2]), request([1], [2], 1))).toBeLessThan(0);
  });
});

describe("groupRequests()", () => {
  it("puts neighbours together that run the same tokens", () => {
    const requests = indexed([request([1, 2], [3]), request([1], [2, 4]), request([1, 2, 3], [4])]);
    const groups = [...groupRequests(requests)];
    expect(groups.map((group) => group.map(({ index }) => index))).toEqual([[0, 1], [2]]);
  });

  it("bounds a group", () => {
    const many = indexed(Array.from({ length: 150 }, (_, id) => request([1], [id])));
    expect([...groupRequests(many)].map(({ length }) => length)).toEqual([64, 64, 22]);
  });
});

describe("Scoring", () => {
  function scoring(requests: LoglikelihoodRequest[]) {
    const scores: unknown[] = [];
    const work = new Scoring(indexed(requests), {
      onScores: (map) => scores.push(...map),
      onFail: (error) => scores.push(error),
    });
    return { work, scores };
  }

  it("runs all tokens but the last, and reads in the order of positions", () => {
    const { work } = scoring([request([1, 2], [3, 4]), request([1], [2, 3, 9])]);
    expect(work.tokens).toEqual([1, 2, 3]);
    const reads = work.reads(0, 3).map(({ offset, selection }) => [offset, selection.forced]);
    expect(reads).toEqual([
      [0, 2],
      [1, 3],
      [1, 3],
      [2, 4],
      [2, 9],
    ]);
  });

  it("reads on from where it was, in parts", () => {
    const { work, scores } = scoring([request([1, 2], [3, 4, 5])]);
    expect(work.readPosition(0)).toBe(1);
    expect(work.accept([result(3, -1)])).toBe(false);
    expect([work.readPosition(0), work.readPosition(1), work.readPosition(2)]).toEqual([2, 3, undefined]);
    expect(work.reads(2, 3).map(({ offset, selection }) => [offset, selection.forced])).toEqual([[0, 4]]);
    expect(work.accept([result(4, -2, false), result(5, -4)])).toBe(true);
    expect(scores).toEqual([[0, { logProbNats: -7, isGreedy: false }]]);
  });

  it("refuses logits that are not finite", () => {
    const { work } = scoring([request([1], [2])]);
    expect(() => work.accept([result(-1, Number.NaN)])).toThrow(
      expect.objectContaining({ code: "MODEL_LOGITS_NOT_FINITE" }),
    );
  });
});

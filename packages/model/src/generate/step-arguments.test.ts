import { describe, expect, it } from "vitest";
import type { Read } from "../engine/step-model.ts";
import { stepArguments } from "./step-arguments.ts";

const read = (offset: number): Read => ({ offset, selection: undefined as never });

describe("stepArguments()", () => {
  const { tokens, positions, sequence, pages, reads, adapters } = stepArguments([
    { tokens: [7, 8, 9], position: 30, pages: [4, 1], adapter: 0, reads: [read(0), read(2)] },
    { tokens: [5], position: 2, pages: [3], adapter: 2, reads: [read(0)] },
  ]);

  it("lays tokens side by side with their positions, sequences and adapters", () => {
    expect(tokens.toNumbers()).toEqual([7, 8, 9, 5]);
    expect(positions.toNumbers()).toEqual([30, 31, 32, 2]);
    expect(sequence.toNumbers()).toEqual([0, 0, 0, 1]);
    expect(adapters.toNumbers()).toEqual([0, 0, 0, 2]);
  });

  it("gives each sequence a row of pages as wide as the longest", () => {
    expect(pages.shape).toEqual([2, 2]);
    expect(pages.toNumbers()).toEqual([4, 1, 3, 0]);
  });

  it("counts what is read among all tokens", () => expect(reads.toNumbers()).toEqual([0, 2, 3]));
});

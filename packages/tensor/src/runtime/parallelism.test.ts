import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { physicalParallelism } from "./parallelism.ts";

describe("physicalParallelism()", () => {
  it("is a whole number from 1 to the number of logical processors", () => {
    const threads = physicalParallelism();
    expect(Number.isInteger(threads)).toBe(true);
    expect(threads).toBeGreaterThanOrEqual(1);
    expect(threads).toBeLessThanOrEqual(availableParallelism());
  });
});

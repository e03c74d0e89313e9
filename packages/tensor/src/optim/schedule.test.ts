import { describe, expect, it } from "vitest";
import { constantSchedule, warmupCosine } from "./schedule.ts";

describe("warmupCosine()", () => {
  const schedule = warmupCosine({ peak: 2e-5, warmupSteps: 10, totalSteps: 110 });

  it("rises in a line from 0 at the first update to the peak", () => {
    expect([0, 5, 10].map(schedule)).toEqual([0, 1e-5, 2e-5]);
    expect(schedule(1)).toBeCloseTo(2e-6, 18);
  });

  it("falls along half a cosine to 0 and stays there", () => {
    expect(schedule(60)).toBeCloseTo(1e-5, 12);
    expect(schedule(35)).toBeCloseTo(1e-5 * (1 + Math.SQRT1_2), 12);
    expect(schedule(110)).toBeCloseTo(0, 20);
  });

  it("begins at the peak without warm-up", () => {
    expect(warmupCosine({ peak: 1, warmupSteps: 0, totalSteps: 4 })(0)).toBe(1);
  });

  it("is finite where there is nothing but warm-up", () => {
    const short = warmupCosine({ peak: 1, warmupSteps: 3, totalSteps: 3 });
    expect([0, 1, 2, 3].map(short)).toEqual([0, 1 / 3, 2 / 3, 1]);
  });
});

describe("constantSchedule()", () => {
  it("is the same at every update", () =>
    expect([0, 7, 1e6].map(constantSchedule(0.5))).toEqual([0.5, 0.5, 0.5]));
});

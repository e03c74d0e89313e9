import { describe, expect, it } from "vitest";
import { type Advance, Scheduler, type SchedulerLimits } from "./scheduler.ts";
import type { Sequence, Work } from "./sequence.ts";

/** Work on `tokens` that is read at its last token, or at `reads`, and grows when it is computed. */
class ListWork implements Work {
  readonly adapter: number;
  readonly tokens: number[];
  positions: number[] | undefined;

  constructor(tokens: readonly number[], options: { adapter?: number; positions?: number[] } = {}) {
    this.tokens = [...tokens];
    this.adapter = options.adapter ?? 0;
    this.positions = options.positions;
  }

  readPosition(index: number): number | undefined {
    if (this.positions) return this.positions[index];
    return index === 0 ? this.tokens.length - 1 : undefined;
  }

  reads() {
    return [];
  }

  accept(): boolean {
    return false;
  }

  fail(): void {}
}

const count = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i);
const LIMITS: SchedulerLimits = { maxStepTokens: 8, maxStepReads: 8, maxConcurrent: 4 };

function setUp(options: { pageCount?: number } & Partial<SchedulerLimits> = {}) {
  const { pageCount = 100, ...limits } = options;
  const scheduler = new Scheduler({ pageSize: 4, pageCount }, { ...LIMITS, ...limits });
  const names = new Map<Sequence, string>();
  const describeStep = (advances: readonly Advance[]) =>
    advances.map(({ sequence, start, end }) => `${names.get(sequence)} ${start}-${end}`).join(", ");
  return {
    scheduler,
    add(name: string, work: Work): Sequence {
      const sequence = scheduler.add(work);
      names.set(sequence, name);
      return sequence;
    },
    /** One step: what was computed. Work that is read at its last token grows, other work ends with its last read. */
    step(): string {
      const advances = scheduler.plan();
      scheduler.commit(advances);
      for (const { sequence, end } of advances) {
        const work = sequence.work as ListWork;
        work.positions = work.positions?.filter((position) => position >= end);
        if (work.positions?.length === 0) scheduler.remove(sequence);
        else if (sequence.remaining === 0) work.tokens.push(1000 + work.tokens.length);
      }
      return describeStep(advances);
    },
  };
}

describe("Scheduler", () => {
  it("reads a long prompt in parts", () => {
    const { add, step } = setUp();
    add("a", new ListWork(count(19)));
    expect([step(), step(), step(), step()]).toEqual(["a 0-8", "a 8-16", "a 16-19", "a 19-20"]);
  });

  it("lets every sequence with one token go ahead, and reads prompts with what is left", () => {
    const { add, step } = setUp();
    add("a", new ListWork(count(3)));
    add("b", new ListWork(count(2, 50)));
    expect(step()).toBe("a 0-3, b 0-2");
    add("c", new ListWork(count(20, 100)));
    expect([step(), step()]).toEqual(["a 3-4, b 2-3, c 0-6", "a 4-5, b 3-4, c 6-12"]);
  });

  it("begins sequences in the order in which they came, and not more than may be under way", () => {
    const { scheduler, add, step } = setUp({ maxConcurrent: 2 });
    const a = add("a", new ListWork(count(2)));
    add("b", new ListWork(count(2, 10)));
    add("c", new ListWork(count(2, 20)));
    add("d", new ListWork(count(2, 30)));
    expect(step()).toBe("a 0-2, b 0-2");
    expect(scheduler.stats).toMatchObject({ running: 2, waiting: 2 });
    scheduler.remove(a);
    expect(step()).toBe("b 2-3, c 0-2");
  });

  it("takes over the pages of a common beginning, but computes what it has to read", () => {
    const { scheduler, add, step } = setUp({ maxStepTokens: 50 });
    add("a", new ListWork(count(12)));
    step();
    add("b", new ListWork([...count(9), 70]));
    add("c", new ListWork(count(12)));
    add("d", new ListWork(count(12), { positions: [5, 11] }));
    expect(step()).toBe("a 12-13, b 8-10, c 8-12, d 4-12");
    expect(scheduler.stats).toMatchObject({ computedTokens: 12 + 1 + 2 + 4 + 8, reusedTokens: 8 + 8 + 4 });
  });

  it("keeps the pages of what has ended for those that come later", () => {
    const { scheduler, add, step } = setUp({ maxStepTokens: 50 });
    const a = add("a", new ListWork(count(12)));
    step();
    scheduler.remove(a);
    expect(scheduler.stats).toMatchObject({ usedPages: 0, cachedPages: 3 });
    add("b", new ListWork(count(20)));
    expect(step()).toBe("b 12-20");
  });

  it("loses the end of a kept beginning before its start", () => {
    const { scheduler, add, step } = setUp({ pageCount: 4, maxStepTokens: 50 });
    const a = add("a", new ListWork(count(12)));
    step();
    scheduler.remove(a);
    const b = add("b", new ListWork(count(5, 50)));
    step();
    scheduler.remove(b);
    add("c", new ListWork(count(12)));
    expect(step()).toBe("c 8-12");
  });

  it("finds nothing that another adapter has computed", () => {
    const { add, step } = setUp({ maxStepTokens: 50 });
    add("a", new ListWork(count(12)));
    step();
    add("b", new ListWork(count(12), { adapter: 1 }));
    expect(step()).toBe("a 12-13, b 0-12");
  });

  it("lets only the first of several compute what they have in common", () => {
    const { scheduler, add, step } = setUp({ maxStepTokens: 16 });
    add("a", new ListWork(count(18)));
    add("b", new ListWork([...count(16), 70, 71]));
    add("c", new ListWork([...count(7), 80]));
    expect([step(), step()]).toEqual(["a 0-16", "a 16-18, b 16-18, c 4-8"]);
    expect(scheduler.stats.usedPages).toBe(4 + 1 + 1 + 1);
  });

  it("goes over to a page that another has computed meanwhile, from the middle of its own", () => {
    const { scheduler, add, step } = setUp({ maxStepTokens: 6 });
    add("a", new ListWork([...count(4), 90]));
    add("b", new ListWork(count(12, 200)));
    expect(step()).toBe("a 0-5, b 0-1");
    add("c", new ListWork([...count(4, 200), 50]));
    expect(step()).toBe("a 5-6, b 1-6");
    expect(step()).toBe("a 6-7, b 6-11");
    expect(step()).toBe("a 7-8, b 11-12, c 4-5");
    expect(scheduler.stats.preemptions).toBe(0);
  });

  it("goes on with one of two equal pages that were computed at once", () => {
    const { scheduler, add, step } = setUp();
    add("a", new ListWork(count(4)));
    add("b", new ListWork(count(4)));
    expect(step()).toBe("a 0-4, b 0-4");
    expect(scheduler.stats.usedPages).toBe(1);
    expect(step()).toBe("a 4-5, b 4-5");
    expect(scheduler.stats.usedPages).toBe(3);
  });

  it("takes the newest sequence's pages where they run out, and begins it again when there is room", () => {
    const { scheduler, add, step } = setUp({ pageCount: 5 });
    const a = add("a", new ListWork(count(6)));
    add("b", new ListWork(count(2, 50)));
    step();
    add("c", new ListWork(count(2, 80)));
    // c would leave no page for a and b to grow.
    expect([step(), step()]).toEqual(["a 6-7, b 2-3", "a 7-8, b 3-4"]);
    for (let i = 0; i < 4; i++) step();
    const later = [step(), step(), step(), step(), step()];
    expect(later).toEqual(["a 12-13", "a 13-14", "a 14-15", "a 15-16", "a 16-17"]);
    expect(scheduler.stats).toMatchObject({ running: 1, waiting: 2, preemptions: 1, usedPages: 5 });
    scheduler.remove(a);
    expect([step(), step()]).toEqual(["b 0-8", "b 8-9, c 0-2"]);
  });

  it("lets a sequence wait in place when older ones have all pages", () => {
    const { add, step } = setUp({ pageCount: 4 });
    add("a", new ListWork(count(7)));
    add("b", new ListWork(count(3, 50)));
    expect(step()).toBe("a 0-7, b 0-1");
    expect(step()).toBe("a 7-8, b 1-3");
    expect(step()).toBe("a 8-9, b 3-4");
    expect(step()).toBe("a 9-10");
  });

  it("bounds the reads of a step, and holds up nobody for ever", () => {
    const { add, step } = setUp({ maxStepTokens: 50, maxStepReads: 4 });
    add("a", new ListWork(count(9), { positions: count(8, 1) }));
    add("b", new ListWork(count(3, 50), { positions: [2, 2, 2, 2, 2, 2] }));
    expect([step(), step(), step(), step()]).toEqual(["a 0-5, b 0-2", "a 5-8", "a 8-9", "b 2-3"]);
  });

  it("forgets what is removed, wherever it is", () => {
    const { scheduler, add, step } = setUp({ maxConcurrent: 1 });
    const a = add("a", new ListWork(count(6)));
    const b = add("b", new ListWork(count(6, 10)));
    step();
    for (const sequence of [b, a, a]) scheduler.remove(sequence);
    expect(step()).toBe("");
    expect(scheduler.stats).toMatchObject({ running: 0, waiting: 0, usedPages: 0, cachedPages: 1 });
  });

  it("passes over what was removed during a step", () => {
    const { scheduler, add } = setUp();
    const a = add("a", new ListWork(count(4)));
    const step = scheduler.plan();
    scheduler.remove(a);
    scheduler.commit(step);
    expect(scheduler.stats).toMatchObject({ usedPages: 0, cachedPages: 0, computedTokens: 0 });
  });
});

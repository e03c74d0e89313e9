import { describe, expect, it } from "vitest";
import { AdmissionQueue } from "./queue.ts";

const never = new AbortController().signal;
const createQueue = (maxConcurrent: number, maxQueued: number) =>
  new AdmissionQueue({ maxConcurrent, maxQueued, retryAfterSeconds: 7 });

describe("AdmissionQueue", () => {
  it("admits in the order of arrival", async () => {
    const queue = createQueue(1, 8);
    const order: number[] = [];
    const release = await queue.acquire(never);
    const later = [1, 2, 3].map(async (index) => {
      const done = await queue.acquire(never);
      order.push(index);
      done();
    });
    release();
    await Promise.all(later);
    expect(order).toEqual([1, 2, 3]);
    expect([queue.running, queue.waiting]).toEqual([0, 0]);
  });

  it("never runs more than maxConcurrent", async () => {
    const queue = createQueue(2, 100);
    let highest = 0;
    const work = async () => {
      const release = await queue.acquire(new AbortController().signal);
      highest = Math.max(highest, queue.running);
      await Promise.resolve();
      release();
    };
    await Promise.all(Array.from({ length: 50 }, work));
    expect(highest).toBe(2);
  });

  it("refuses beyond maxQueued with the time to wait", async () => {
    const queue = createQueue(1, 1);
    await queue.acquire(never);
    void queue.acquire(never);
    await expect(queue.acquire(never)).rejects.toMatchObject({
      code: "SERVE_OVERLOADED",
      retryAfterSeconds: 7,
    });
  });

  it("lets a waiting request leave when its signal aborts", async () => {
    const queue = createQueue(1, 1);
    const release = await queue.acquire(never);
    const controller = new AbortController();
    const waiting = queue.acquire(controller.signal);
    controller.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    expect(queue.waiting).toBe(0);
    release();
    expect(queue.running).toBe(0);
  });

  it("gives a place back once, however often it is released", async () => {
    const queue = createQueue(2, 0);
    const release = await queue.acquire(never);
    await queue.acquire(never);
    release();
    release();
    expect(queue.running).toBe(1);
  });

  it("refuses newcomers and those waiting once closed", async () => {
    const queue = createQueue(1, 1);
    await queue.acquire(never);
    const waiting = queue.acquire(never);
    queue.close();
    await expect(waiting).rejects.toMatchObject({ code: "SERVE_SHUTTING_DOWN" });
    await expect(queue.acquire(never)).rejects.toMatchObject({ code: "SERVE_SHUTTING_DOWN" });
    expect(queue.running).toBe(1);
  });
});

import { describe, expect, it } from "vitest";
import { Gate } from "./gate.ts";

/** A promise and the function that settles it. */
function deferred() {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("Gate.run()", () => {
  it("lets no more than its capacity in, in the order of asking", async () => {
    const gate = new Gate(2);
    const doors = [deferred(), deferred(), deferred(), deferred()];
    const begun: number[] = [];
    const tasks = doors.map(({ promise }, index) =>
      gate.run(() => {
        begun.push(index);
        return promise;
      }),
    );
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1]);
    doors[1]!.resolve();
    await tasks[1];
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1, 2]);
    for (const { resolve } of doors) resolve();
    await Promise.all(tasks);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it("gives the place back when a task fails", async () => {
    const gate = new Gate(1);
    await expect(gate.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(gate.run(async () => "yes")).resolves.toBe("yes");
  });

  it("takes a waiter out when its signal aborts, and admits the next", async () => {
    const gate = new Gate(1);
    const first = deferred();
    const running = gate.run(() => first.promise);
    const controller = new AbortController();
    const waiting = gate.run(async () => "never", controller.signal);
    const next = gate.run(async () => "next");
    controller.abort(new Error("changed my mind"));
    await expect(waiting).rejects.toThrow("changed my mind");
    first.resolve();
    await running;
    await expect(next).resolves.toBe("next");
  });
});

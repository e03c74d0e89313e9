import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { onAbort } from "./on-abort.ts";

describe("onAbort()", () => {
  it("adds one listener for any number of callbacks, and calls them in order", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const called: number[] = [];
    for (let i = 0; i < 20; i++) onAbort(signal, () => called.push(i));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    controller.abort();
    expect(called).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it("does not call what was taken back, even by a callback before it", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const called: string[] = [];
    onAbort(signal, () => {
      called.push("first");
      takeBack();
    });
    const takeBack = onAbort(signal, () => called.push("second"));
    onAbort(signal, () => called.push("early"))();
    controller.abort();
    expect(called).toEqual(["first"]);
  });

  it("calls the same function once for each time it was given", () => {
    const controller = new AbortController();
    const { signal } = controller;
    let count = 0;
    const callback = () => {
      count += 1;
    };
    const takeBack = onAbort(signal, callback);
    onAbort(signal, callback);
    takeBack();
    controller.abort();
    expect(count).toBe(1);
  });
});

import { describe, expect, it } from "vitest";
import { TokenStream } from "./token-stream.ts";

function stream(onStart: () => void = () => {}) {
  const events: string[] = [];
  const tokens = new TokenStream<number, string>({
    onStart() {
      events.push("start");
      onStart();
    },
    onEnd: () => events.push("end"),
  });
  return { tokens, events };
}

describe("TokenStream", () => {
  it("begins with the first next()", async () => {
    const { tokens, events } = stream();
    expect(events).toEqual([]);
    const first = tokens.next();
    expect(events).toEqual(["start"]);
    tokens.push(5);
    expect(await first).toEqual({ done: false, value: 5 });
  });

  it("keeps values for a consumer that comes later, then tells how it ended, once", async () => {
    const { tokens, events } = stream();
    const first = tokens.next();
    for (const value of [1, 2]) tokens.push(value);
    tokens.end("stop");
    expect(events).toEqual(["start", "end"]);
    const results = [await first, await tokens.next(), await tokens.next(), await tokens.next()];
    expect(results).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: "stop" },
      { done: true, value: undefined },
    ]);
  });

  it("answers several pending next() in their order", async () => {
    const { tokens } = stream();
    const pending = [tokens.next(), tokens.next(), tokens.next()];
    tokens.push(1);
    tokens.end("length");
    expect(await Promise.all(pending)).toEqual([
      { done: false, value: 1 },
      { done: true, value: "length" },
      { done: true, value: undefined },
    ]);
  });

  it("gives the values before an error, then the error, once", async () => {
    const { tokens, events } = stream();
    const first = tokens.next();
    tokens.push(1);
    tokens.fail(new Error("lost"));
    expect((await first).value).toBe(1);
    await expect(tokens.next()).rejects.toThrow("lost");
    expect(await tokens.next()).toEqual({ done: true, value: undefined });
    expect(events).toEqual(["start", "end"]);
  });

  it("drops the values before an abort", async () => {
    const { tokens } = stream();
    const first = tokens.next();
    for (const value of [1, 2]) tokens.push(value);
    tokens.abort(new Error("cancelled"));
    expect((await first).value).toBe(1);
    await expect(tokens.next()).rejects.toThrow("cancelled");
  });

  it("fails with what its start throws", async () => {
    const { tokens } = stream(() => {
      throw new Error("refused");
    });
    await expect(tokens.next()).rejects.toThrow("refused");
  });

  it("ends at once with return(), even while a next() is pending", async () => {
    const { tokens, events } = stream();
    const pending = tokens.next();
    const returned = tokens.return("stop");
    expect(events).toEqual(["start", "end"]);
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await returned).toEqual({ done: true, value: "stop" });
    tokens.push(1);
    expect(await tokens.next()).toEqual({ done: true, value: undefined });
  });

  it("never starts once returned", async () => {
    const { tokens, events } = stream();
    await tokens.return("stop");
    expect(await tokens.next()).toEqual({ done: true, value: undefined });
    expect(events).toEqual([]);
  });

  it("ends when a loop over it is left, or it goes out of scope", async () => {
    const { tokens, events } = stream();
    const loop = (async () => {
      for await (const value of tokens) if (value === 1) break;
    })();
    tokens.push(1);
    await loop;
    expect(events).toEqual(["start", "end"]);
    const other = stream();
    const pending = other.tokens.next();
    await other.tokens[Symbol.asyncDispose]();
    await pending;
    expect(other.events).toEqual(["start", "end"]);
  });
});

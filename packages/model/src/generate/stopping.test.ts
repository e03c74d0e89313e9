import { describe, expect, it } from "vitest";
import { createStopFilter, createStopRule } from "./stopping.ts";

/** Each id is a character of ASCII. */
const asciiDecoder = () => ({ push: (id: number) => String.fromCharCode(id), flush: () => "" });
const ids = (text: string) => Array.from(text, (character) => character.charCodeAt(0));

describe("createStopRule()", () => {
  const run = (text: string, options: { maxNewTokens?: number; stop?: string[] }) => {
    const rule = createStopRule({ maxNewTokens: 100, eosTokenIds: [0, 7], ...options }, asciiDecoder);
    for (const [index, id] of ids(text).entries()) {
      const end = rule.accept(id);
      if (end) return { ...end, index };
    }
    return undefined;
  };

  it("ends at any end-of-sequence id, which is no output", () => {
    expect(run("ab\u0007c", {})).toEqual({ finishReason: "stop", isOutput: false, index: 2 });
  });

  it("ends when the limit is reached", () => {
    expect(run("abc", { maxNewTokens: 2 })).toEqual({ finishReason: "length", isOutput: true, index: 1 });
  });

  it("ends when a stop string is complete, across tokens", () => {
    expect(run("a\n\nb", { stop: ["X", "\n\n"] })).toEqual({
      finishReason: "stop",
      isOutput: true,
      index: 2,
    });
  });

  it("prefers the stop string at the limit", () => {
    expect(run("ab", { stop: ["b"], maxNewTokens: 2 })).toMatchObject({ finishReason: "stop" });
  });

  it("goes on otherwise", () => {
    expect(run("abc", { stop: ["abd"] })).toBeUndefined();
  });
});

describe("createStopFilter()", () => {
  const pass = (pieces: string[], stop: string[]) => {
    const filter = createStopFilter(stop);
    const shown = pieces.map((piece) => filter.push(piece).text);
    return { shown, rest: filter.flush() };
  };

  it("holds back what may begin a stop string", () => {
    expect(pass(["on", "e E", "N", "X"], ["END"])).toEqual({ shown: ["on", "e ", "", "ENX"], rest: "" });
  });

  it("gives up what was held when the text ends", () => {
    expect(pass(["a E"], ["END"])).toEqual({ shown: ["a "], rest: "E" });
  });

  it("passes nothing of the stop string or after it, however the text is cut", () => {
    const text = "first. STOP second";
    for (let size = 1; size <= text.length; size++) {
      const pieces = text.match(new RegExp(`.{1,${size}}`, "gs"))!;
      const { shown, rest } = pass(pieces, ["STOP", "second"]);
      expect(shown.join("") + rest).toBe("first. ");
    }
  });

  it("stops at the string that begins first", () => {
    expect(pass(["abcd"], ["cd", "bc"]).shown).toEqual(["a"]);
  });

  it("ignores an empty stop string", () => {
    expect(pass(["ab"], [""]).shown).toEqual(["ab"]);
  });
});

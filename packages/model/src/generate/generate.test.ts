import { describe, expect, it } from "vitest";
import { type GenerationRequest, generateTogether, generateTokens } from "./generate.ts";
import type { NextTokenModel } from "./next-token-model.ts";
import { createStopRule } from "./stopping.ts";

const V = 8;

/** A model whose next token is its last token plus one, and that records what is done with it. */
function countingModel() {
  const events: string[] = [];
  const model: NextTokenModel = {
    async start(prompts, { capacity }) {
      events.push(`start ${prompts.length} capacity ${capacity}`);
      let last = prompts.map((ids) => ids.at(-1)!);
      return {
        logitsOf: (row) => Float32Array.from({ length: V }, (_, id) => (id === (last[row]! + 1) % V ? 1 : 0)),
        async step(tokens) {
          events.push(`step ${tokens.join()}`);
          last = [...tokens];
        },
        dispose: () => events.push("dispose"),
      };
    },
  };
  return { model, events };
}

function request(promptIds: readonly number[], maxNewTokens: number, eosTokenIds = [0]): GenerationRequest {
  const stopRule = createStopRule({ maxNewTokens, eosTokenIds }, () => ({ push: () => "", flush: () => "" }));
  return { promptIds, maxNewTokens, stopRule };
}

async function collect(tokens: AsyncGenerator<number, string, void>) {
  const ids: number[] = [];
  for (;;) {
    const { value, done } = await tokens.next();
    if (done) return { ids, finishReason: value };
    ids.push(value as number);
  }
}

describe("generateTokens()", () => {
  it("runs no step after the last token, and frees the batch", async () => {
    const { model, events } = countingModel();
    expect(await collect(generateTokens(model, request([1, 2], 3)))).toEqual({
      ids: [3, 4, 5],
      finishReason: "length",
    });
    expect(events).toEqual(["start 1 capacity 5", "step 3", "step 4", "dispose"]);
  });

  it("stops before the end of sequence", async () => {
    const { model } = countingModel();
    expect(await collect(generateTokens(model, request([5], 9)))).toEqual({
      ids: [6, 7],
      finishReason: "stop",
    });
  });

  it("frees the batch when the caller leaves early", async () => {
    const { model, events } = countingModel();
    for await (const id of generateTokens(model, request([1], 9))) if (id === 3) break;
    expect(events).toEqual(["start 1 capacity 10", "step 2", "dispose"]);
  });

  it("frees the batch when a step fails", async () => {
    const { model, events } = countingModel();
    const failing: NextTokenModel = {
      start: async (...args) => ({
        ...(await model.start(...args)),
        step: () => Promise.reject(new Error("lost")),
      }),
    };
    await expect(collect(generateTokens(failing, request([1], 9)))).rejects.toThrow("lost");
    expect(events.at(-1)).toBe("dispose");
  });
});

describe("generateTogether()", () => {
  it("ends each sequence by its own rule and steps until the last has ended", async () => {
    const { model, events } = countingModel();
    const generations = await generateTogether(model, [request([1], 1), request([2, 3], 4), request([6], 9)]);
    expect(generations).toEqual([
      { ids: [2], finishReason: "length" },
      { ids: [4, 5, 6, 7], finishReason: "length" },
      { ids: [7], finishReason: "stop" },
    ]);
    expect(events).toEqual(["start 3 capacity 11", "step 2,4,7", "step 2,5,0", "step 2,6,0", "dispose"]);
  });

  it("lets equal seeds draw equally wherever they are in the batch", async () => {
    const flat: NextTokenModel = {
      start: async () => ({ logitsOf: () => new Float32Array(V), step: async () => {}, dispose: () => {} }),
    };
    const seeded = (seed: number) => ({ ...request([1], 20, []), temperature: 1, seed });
    const [a, b, c] = await generateTogether(flat, [seeded(1), seeded(2), seeded(1)]);
    expect(c).toEqual(a);
    expect(b).not.toEqual(a);
    expect(new Set(a!.ids).size).toBeGreaterThan(3);
  });
});

// The bound that holds for whoever shares the event loop with the engine: no turn of it computes for more than 20 ms.
import { readFileSync } from "node:fs";
import { platform } from "node:os";
import { setImmediate } from "node:timers/promises";
import { weightsFrom } from "@flacuna/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { largeTokenizer } from "../fixtures/large-tokenizer.ts";
import { TOY, toyWeights } from "../fixtures/toy-model.ts";
import { createLanguageModel, type LanguageModel } from "../language-model.ts";

const LONGEST_TURN_MS = 20;
const REQUESTS = 16;
/** A machine that is busy with other work takes long in all, but no longer in any turn. */
const PATIENCE_MS = 240_000;

/** As many as LLaMA-13B has. */
const LAYERS = 40;

let model: LanguageModel;
beforeAll(async () => {
  const tokenizer = largeTokenizer();
  const config = { ...TOY, numHiddenLayers: LAYERS, vocabSize: tokenizer.vocabSize };
  const parts = { config, tokenizer, weights: weightsFrom(toyWeights(config)) };
  model = createLanguageModel(parts, { threads: 1, cacheTokens: 4096 });
  // Programs are compiled, and the vocabulary is prepared.
  await generateAll(0);
}, PATIENCE_MS);
afterAll(() => model.dispose());

/** Many requests at once, every other one held to a schema that no other has, so that all its masks are new. */
async function generateAll(round: number): Promise<void> {
  const prompts = Array.from({ length: REQUESTS }, (_, i) => [1, 5 + i, 6, 7]);
  const perPrompt = prompts.map((_, i) =>
    i % 2 === 0 ? {} : { jsonSchema: { type: "string", maxLength: 100 + round * REQUESTS + i } },
  );
  const sampling = { maxNewTokens: 8, temperature: 1, eosTokenIds: [2] };
  await model.generateBatch(prompts, { ...sampling, perPrompt });
}

/**
 * Milliseconds that this thread has computed: what a busy machine does meanwhile does not count. Where the system does
 * not say, time on the clock.
 */
function computedMs(): number {
  if (platform() !== "linux") return performance.now();
  return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
}

/** The longest turn of the event loop while `work` goes on. */
async function longestTurn(work: Promise<unknown>): Promise<number> {
  let isOver = false;
  const ended = work.finally(() => {
    isOver = true;
  });
  let longest = 0;
  for (let before = computedMs(); !isOver; ) {
    await setImmediate();
    const now = computedMs();
    longest = Math.max(longest, now - before);
    before = now;
  }
  await ended;
  return longest;
}

/** One of three may meet a collection of garbage. */
const medianOfThree = (each: number[]): number => each.sort((a, b) => a - b)[1]!;

describe("the event loop", () => {
  it(
    "is not held up by many requests, half of them with masks of a large vocabulary",
    async () => {
      const longest: number[] = [];
      for (let round = 1; round <= 3; round++) longest.push(await longestTurn(generateAll(round)));
      expect(medianOfThree(longest)).toBeLessThan(LONGEST_TURN_MS);
    },
    PATIENCE_MS,
  );

  it(
    "is not held up by the first use of a program, which is compiled for it",
    async () => {
      const longest: number[] = [];
      // Each of these numbers of alternatives takes a program of its own.
      for (const topLogProbs of [8, 16, 32]) {
        const work = model.generateBatch([[1, 5]], { maxNewTokens: 2, topLogProbs });
        longest.push(await longestTurn(work));
      }
      expect(medianOfThree(longest)).toBeLessThan(LONGEST_TURN_MS);
    },
    PATIENCE_MS,
  );
});

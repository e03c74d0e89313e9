// The parts of `pnpm bench generate` and `pnpm bench score` that need no model: workloads, prompts, turns, choices.
import { describe, expect, it } from "vitest";
import { llamaCandidates } from "../../tools/bench/generate/llama-trials.ts";
import { parseGenerateOptions } from "../../tools/bench/generate/options.ts";
import { cutter } from "../../tools/bench/generate/prompt-source.ts";
import { type Side, takeTurns } from "../../tools/bench/generate/take-turns.ts";
import { fromArrivals, type Workload, workloads } from "../../tools/bench/generate/workload.ts";
import { jsonLines, runTool } from "../../tools/bench/llama-cpp/run-tool.ts";
import { choicesOf, type Question } from "../../tools/bench/score/questions.ts";

const workload = (kind: Workload["kind"]): Workload => ({
  name: kind,
  kind,
  sequences: 2,
  promptTokens: 10,
  newTokens: 3,
});

describe("fromArrivals()", () => {
  it("divides a prefill's prompt by the time to the first token", () => {
    expect(fromArrivals(workload("prefill"), [[0.5]])).toEqual({
      tokensPerSecond: 20,
      firstTokenSeconds: 0.5,
    });
  });

  it("leaves the first token out of decoding", () => {
    expect(fromArrivals(workload("decode"), [[5, 5.5, 6]])).toEqual({ tokensPerSecond: 2 });
  });

  it("counts all tokens over the whole time, and new ones while all sequences generate", () => {
    const arrivals = [
      [1, 3, 4],
      [2, 4, 5],
    ];
    // 2 · (10 + 3) tokens in 5 s; from 2 s, when both have begun, to 4 s, when the first ends: at 3, 4 and 4.
    expect(fromArrivals(workload("throughput"), arrivals)).toEqual({
      tokensPerSecond: 5.2,
      generatedPerSecond: 1.5,
    });
  });

  it("says nothing of generating together where sequences never do", () => {
    expect(fromArrivals(workload("throughput"), [[1], [2]])).toEqual({ tokensPerSecond: 13 });
  });
});

describe("cutter()", () => {
  it("gives pieces that begin differently, also when the text begins again", () => {
    const take = cutter(Array.from({ length: 10 }, (_, index) => index));
    const firsts = [...take(2, 4), ...take(2, 4)].map(([first]) => first);
    expect(firsts).toEqual([0, 4, 1, 5]);
  });

  it("refuses a piece longer than the text", () => {
    expect(() => cutter([1, 2, 3])(1, 4)).toThrow("3 tokens");
  });
});

describe("takeTurns()", () => {
  it("lets every side warm up, gives all the same prompts in a round, and reports medians", async () => {
    const seen: string[] = [];
    const side = (name: string, rates: number[]): Side => ({
      name,
      async warmUp(prompts) {
        seen.push(`warm ${name}${prompts[0]![0]}`);
      },
      measure: (prompts) => {
        seen.push(`${name}${prompts[0]![0]}`);
        return Promise.resolve({ tokensPerSecond: rates.shift()! });
      },
      peakBytes: () => 7,
      processorSeconds: () => 0,
      stop: () => Promise.resolve(),
    });
    let round = 0;
    const nextPrompts = () => [[++round]];
    const [a, b] = await takeTurns([side("a", [1, 9, 2]), side("b", [4, 4, 4])], 3, nextPrompts, () => {});
    expect(seen).toEqual(["warm a1", "warm b2", "a3", "b3", "a4", "b4", "a5", "b5"]);
    expect(a).toEqual({ name: "a", tokensPerSecond: 2, turns: [1, 9, 2], peakBytes: 7, othersBusy: 0 });
    expect(b!.tokensPerSecond).toBe(4);
  });
});

describe("llamaCandidates()", () => {
  it("tries attention, batches, caches and half of the threads", () => {
    const decode = llamaCandidates(workload("decode"), 4, false);
    expect(decode.map(({ flashAttention, threads }) => [flashAttention, threads])).toEqual([
      [true, 4],
      [false, 4],
      [true, 2],
    ]);
    expect(llamaCandidates(workload("throughput"), 4, false)).toHaveLength(9);
    expect(llamaCandidates(workload("throughput"), 1, false)).toHaveLength(8);
  });
});

describe("parseGenerateOptions()", () => {
  it("takes the data folder from the environment, and everything by default", () => {
    const { data, bits, parts, rounds } = parseGenerateOptions([], { FLACUNA_DATA: "/data" });
    expect([data, bits, parts.size, rounds]).toEqual(["/data", ["8", "4"], 5, 5]);
  });

  it("names what it expected", () => {
    expect(() => parseGenerateOptions(["--bits", "5"], {})).toThrow('--bits: expected 8, 4, got "5"');
    expect(() => parseGenerateOptions(["--only", "all"], {})).toThrow("--only: expected prefill");
    expect(() => parseGenerateOptions(["--rounds", "0"], {})).toThrow("--rounds: expected a whole number");
  });
});

describe("workloads()", () => {
  it("has the prompts and the concurrency of the targets", () => {
    const names = workloads(parseGenerateOptions([], {})).map(({ name }) => name);
    expect(names).toEqual(["prefill 512", "prefill 2048", "decode", "throughput 8", "throughput 32"]);
  });
});

describe("runTool()", () => {
  const run = (script: string) => runTool(process.execPath, ["-e", script]);

  it("returns what a program writes, of which the JSON lines are results", async () => {
    const { stdout } = await run(`console.log("loading\\n" + JSON.stringify({ speed: 2 }) + "\\n")`);
    expect(jsonLines(stdout)).toEqual([{ speed: 2 }]);
  });

  it("fails with a program's last words, or with the signal that ended it", async () => {
    await expect(run(`console.error("no model"); process.exitCode = 3`)).rejects.toThrow(
      "exit code 3; no model",
    );
    await expect(run(`process.kill(process.pid, "SIGILL")`)).rejects.toThrow("SIGILL");
  });
});

describe("choicesOf()", () => {
  it("takes the highest of each question's scores", () => {
    const request = { contextIds: [1], continuationIds: [2] };
    const question: Question = { requests: [request, request], answer: 0 };
    expect(choicesOf([question, question], [-1, -2, -3, -0.5])).toEqual([0, 1]);
  });
});

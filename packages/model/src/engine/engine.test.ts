import { uniformAt } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import {
  createToyStepModel,
  TOY_VOCAB_SIZE,
  type ToyStepModelOptions,
  toyChoice,
  toyLogProbs,
  toyState,
} from "../fixtures/toy-step-model.ts";
import { createEngine, type Engine, type EngineOptions, type EngineRequest } from "./engine.ts";
import type { GeneratedToken } from "./generation.ts";
import { Penalties } from "./penalties.ts";

const EOS = 0;
const code = (value: string) => expect.objectContaining({ code: value });
const ids = (length: number, seed: number) =>
  Array.from({ length }, (_, i) => 1 + Math.floor(uniformAt(seed, i) * (TOY_VOCAB_SIZE - 1)));
const pick = <T>(items: readonly T[], seed: number) => items[Math.floor(uniformAt(seed, 77) * items.length)]!;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A constraint that lets everything through. */
const FREE = { fill: (mask: Int32Array) => void mask.fill(-1), accept: () => {}, isDone: false };

/** Ten parts, each of which takes about as long as may be between two turns of other events. */
function* tenParts(): Generator<void, void> {
  for (let part = 0; part < 10; part++) {
    const until = performance.now() + 2;
    while (performance.now() < until);
    yield;
  }
}

/** Each token is a letter. */
const letters = { push: (id: number) => String.fromCharCode(97 + id), flush: () => "" };

function setUp(toy: ToyStepModelOptions = {}, options: EngineOptions = {}) {
  const model = createToyStepModel(toy);
  const engine = createEngine(model, { eosTokenIds: [EOS], incrementalDecoder: () => letters }, options);
  return { model, engine };
}

interface Outcome {
  readonly ids: readonly number[];
  readonly logProbs: readonly number[];
  readonly reason: string | undefined;
}

async function collect(tokens: AsyncGenerator<GeneratedToken, string, void>): Promise<Outcome> {
  const taken: GeneratedToken[] = [];
  for (;;) {
    const { value, done } = await tokens.next();
    if (!done) taken.push(value);
    else
      return { ids: taken.map(({ id }) => id), logProbs: taken.map(({ logProb }) => logProb), reason: value };
  }
}

const run = (engine: Engine, request: EngineRequest) => collect(engine.generate(request));

/** What a request gives without any engine: one token after another, each from all before it. */
function expected(request: EngineRequest): Outcome {
  const { promptIds, maxNewTokens, eosTokenIds = [EOS], adapter = 0, seed = 0 } = request;
  const penalties = new Penalties(request, promptIds);
  const generated: number[] = [];
  const logProbs: number[] = [];
  const end = (reason: string) => ({ ids: generated, logProbs, reason });
  while (generated.length < maxNewTokens) {
    const { token, logProb } = toyChoice(toyState([...promptIds, ...generated], adapter), {
      temperature: request.temperature ?? 0,
      topK: request.topK ?? 0,
      topP: request.topP ?? 1,
      minP: request.minP ?? 0,
      uniform: uniformAt(seed, generated.length),
      ...penalties.fields(),
      top: 0,
    });
    if (eosTokenIds.includes(token)) return end("stop");
    generated.push(token);
    logProbs.push(logProb);
    penalties.add(token);
  }
  return end("length");
}

/** Requests of all kinds; many begin alike. */
function requests(count: number, seed: number): EngineRequest[] {
  const beginnings = [ids(13, seed), ids(8, seed + 1), ids(26, seed + 2), []];
  return Array.from({ length: count }, (_, i) => {
    const own = seed * 1000 + i;
    return {
      promptIds: [...pick(beginnings, own), ...ids(1 + (i % 5), own)],
      maxNewTokens: 1 + Math.floor(uniformAt(own, 1) * 30),
      temperature: pick([0, 0.5, 1.5], own + 1),
      topK: pick([1, 5, 24], own + 2),
      topP: pick([1, 0.7], own + 3),
      minP: pick([0, 0.1], own + 4),
      repetitionPenalty: pick([1, 1.3], own + 5),
      frequencyPenalty: pick([0, 0.4], own + 6),
      presencePenalty: pick([0, 0.2], own + 7),
      logitBias: pick([new Map<number, number>(), new Map([[3, 2]])], own + 8),
      seed: i % 7,
      adapter: pick([0, 0, 1, 2], own + 9),
      eosTokenIds: pick([[], [EOS]], own + 10),
    };
  });
}

/** Pools and bounds from generous to so small that sequences take each other's pages all the time. */
const CONFIGURATIONS: readonly (readonly [name: string, toy: ToyStepModelOptions, options: EngineOptions])[] =
  [
    ["room for all", { pageCount: 400 }, {}],
    ["prompts in parts of a few tokens", { pageCount: 400 }, { maxStepTokens: 5, maxConcurrent: 5 }],
    ["a step for one token", { pageCount: 400 }, { maxStepTokens: 1, maxStepReads: 1, maxConcurrent: 1 }],
    ["a pool for two", { pageCount: 24 }, { maxStepTokens: 16, maxConcurrent: 16 }],
    ["a pool for one", { pageCount: 16 }, { maxStepTokens: 16, maxConcurrent: 16 }],
    ["large pages", { pageSize: 16, pageCount: 9 }, { maxStepTokens: 32, maxConcurrent: 8 }],
    ["pages of one token", { pageSize: 1, pageCount: 80 }, { maxStepTokens: 24, maxConcurrent: 8 }],
  ];

function expectNothingHeld(engine: Engine): void {
  expect(engine.stats).toMatchObject({ running: 0, waiting: 0, usedPages: 0 });
}

describe("generate()", () => {
  it.each(CONFIGURATIONS)("gives each request what it gets alone: %s", async (_, toy, options) => {
    const all = requests(30, 1);
    const { engine } = setUp(toy, options);
    const outcomes = await Promise.all(all.map((request) => run(engine, request)));
    expect(outcomes).toEqual(all.map(expected));
    expectNothingHeld(engine);
  });

  it.each(CONFIGURATIONS)(
    "gives the same to requests that come while others run: %s",
    async (_, toy, options) => {
      const all = requests(20, 2);
      const started: Promise<Outcome>[] = [];
      const start = () => {
        const next = all[started.length];
        if (next) started.push(run(engine, next));
      };
      const { engine } = setUp({ ...toy, onStep: () => start() }, options);
      start();
      while (started.length < all.length) {
        await turn();
        if (engine.stats.running + engine.stats.waiting === 0) start();
      }
      expect(await Promise.all(started)).toEqual(all.map(expected));
      expectNothingHeld(engine);
    },
  );

  it.each(CONFIGURATIONS)("computes no more tokens in a step than it may: %s", async (_, toy, options) => {
    const { model, engine } = setUp(toy, options);
    const single = ids(20, 8).map((id) => ({ promptIds: [id], maxNewTokens: 3 }));
    await Promise.all([...requests(20, 5), ...single].map((request) => run(engine, request)));
    const sizes = model.batches.map(({ sequences }) => sequences.flatMap(({ tokens }) => tokens).length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(options.maxStepTokens ?? 512);
  });

  it("does take pages away and reuse them in these tests", async () => {
    const { engine } = setUp({ pageCount: 16 }, { maxStepTokens: 16, maxConcurrent: 16 });
    await Promise.all(requests(40, 1).map((request) => run(engine, request)));
    expect(engine.stats.preemptions).toBeGreaterThan(2);
    expect(engine.stats.reusedTokens).toBeGreaterThan(50);
  });

  it("leaves the others as they are when some are cancelled at any time", async () => {
    const all = requests(40, 3);
    const { engine } = setUp({ pageCount: 24 }, { maxStepTokens: 16, maxConcurrent: 12 });
    const outcomes = await Promise.allSettled(
      all.map(async (request, i) => {
        if (i % 3 > 0) return run(engine, request);
        const controller = new AbortController();
        const running = run(engine, {
          ...request,
          maxNewTokens: 500,
          eosTokenIds: [],
          signal: controller.signal,
        });
        for (let step = 0; step < i; step++) await turn();
        controller.abort();
        return running;
      }),
    );
    for (const [i, outcome] of outcomes.entries()) {
      if (i % 3 > 0) expect(outcome).toMatchObject({ value: expected(all[i]!) });
      else expect(outcome).toMatchObject({ reason: { code: "TENSOR_CANCELLED" } });
    }
    expectNothingHeld(engine);
  });

  it("ends with the pool when the sequence fills it, as with its own limit", async () => {
    const { engine } = setUp({ pageCount: 4 });
    const request = { promptIds: ids(10, 5), maxNewTokens: 1000, eosTokenIds: [] };
    const outcome = await run(engine, request);
    expect(outcome).toEqual(expected({ ...request, maxNewTokens: 7 }));
    expectNothingHeld(engine);
  });

  it("ends at a stop string, with the token that completes it", async () => {
    const { engine } = setUp();
    const request = { promptIds: ids(3, 9), maxNewTokens: 12, eosTokenIds: [] };
    const all = expected(request).ids;
    const stop = [all.slice(4, 6).map(letters.push).join("")];
    expect(await run(engine, { ...request, stop })).toMatchObject({ ids: all.slice(0, 6), reason: "stop" });
  });

  it("reports the most likely tokens beside the chosen one", async () => {
    const { engine } = setUp();
    const request = { promptIds: [4, 5], maxNewTokens: 1, temperature: 2, seed: 3, topLogProbs: 3 };
    const { value } = await engine.generate(request).next();
    const logProbs = toyLogProbs([4, 5]);
    const order = [...logProbs.keys()].sort((a, b) => logProbs[b]! - logProbs[a]!);
    const token = value as GeneratedToken;
    expect(token.top).toEqual(order.slice(0, 3).map((id) => ({ id, logProb: logProbs[id] })));
    expect(token.logProb).toBe(logProbs[token.id]);
  });

  it("takes only tokens that its constraint lets through, and ends with it", async () => {
    const { engine } = setUp();
    const accepted: number[] = [];
    const constraint = {
      fill: (mask: Int32Array) => mask.fill(accepted.length % 2 === 0 ? 0b0011_0000 : 0b1100_0000),
      accept: (token: number) => accepted.push(token),
      get isDone() {
        return accepted.length === 5;
      },
    };
    const request = { promptIds: [7], maxNewTokens: 50, temperature: 1, constraint: () => constraint };
    const { ids: generated, reason } = await run(engine, request);
    expect(generated).toEqual(accepted);
    expect(generated.map((id, i) => (i % 2 === 0 ? [4, 5] : [6, 7]).includes(id))).toEqual(
      Array(5).fill(true),
    );
    expect(reason).toBe("stop");
  });

  it.each(["fill", "accept"] as const)(
    "fails a request whose constraint fails in %s(), and no other",
    async (name) => {
      const { engine } = setUp();
      const failing = () => {
        throw new Error("no such state");
      };
      const constraint = {
        fill: (mask: Int32Array) => mask.fill(-1),
        accept: () => {},
        isDone: false,
        [name]: failing,
      };
      const request = { promptIds: [7], maxNewTokens: 5, eosTokenIds: [] };
      const [failed, other] = await Promise.allSettled([
        run(engine, { ...request, constraint: () => constraint }),
        run(engine, request),
      ]);
      expect(failed).toMatchObject({ status: "rejected", reason: { message: "no such state" } });
      expect(other).toMatchObject({ value: expected(request) });
      expectNothingHeld(engine);
    },
  );

  it("fails a request whose constraint cannot be made, and no other", async () => {
    const { engine } = setUp();
    const request = { promptIds: [7], maxNewTokens: 5, eosTokenIds: [] };
    const [rejected, thrown, other] = await Promise.allSettled([
      run(engine, { ...request, constraint: () => Promise.reject(new Error("no such schema")) }),
      run(engine, {
        ...request,
        constraint: () => {
          throw new Error("no schema at all");
        },
      }),
      run(engine, request),
    ]);
    expect(rejected).toMatchObject({ reason: { message: "no such schema" } });
    expect(thrown).toMatchObject({ reason: { message: "no schema at all" } });
    expect(other).toMatchObject({ value: expected(request) });
    expectNothingHeld(engine);
  });

  it("never begins when it is cancelled while its constraint is made", async () => {
    const { model, engine } = setUp({}, { maxConcurrent: 1, maxQueued: 0 });
    let resolve: (made: typeof FREE) => void = () => {};
    const made = new Promise<typeof FREE>((settle) => {
      resolve = settle;
    });
    const controller = new AbortController();
    const request = { promptIds: [7], maxNewTokens: 5, eosTokenIds: [] };
    const waiting = run(engine, { ...request, signal: controller.signal, constraint: () => made });
    await turn();
    controller.abort();
    await expect(waiting).rejects.toThrow(code("TENSOR_CANCELLED"));
    resolve(FREE);
    await turn();
    expect(model.batches).toEqual([]);
    // Its place is free again.
    expect(await run(engine, request)).toEqual(expected(request));
  });

  it("lets other events have their turn while masks are prepared, and goes on without who has left", async () => {
    const { model, engine } = setUp();
    const request = { promptIds: [7], maxNewTokens: 1, eosTokenIds: [] };
    const leaving = engine.generate({ ...request, constraint: () => ({ ...FREE, prepare: tenParts }) });
    const staying = engine.generate({ ...request, constraint: () => ({ ...FREE, prepare: tenParts }) });
    let turns = 0;
    const countTurns = setInterval(() => {
      turns++;
      if (turns === 2) void leaving.return("stop");
    });
    const [left, stayed] = await Promise.all([collect(leaving), collect(staying)]);
    clearInterval(countTurns);
    expect(turns).toBeGreaterThan(4);
    expect(left.ids).toEqual([]);
    expect(stayed.ids).toEqual(expected(request).ids);
    expect(model.batches.map(({ sequences }) => sequences.length)).toEqual([1]);
  });

  it("fails a request whose constraint fails in prepare(), and no other", async () => {
    const { engine } = setUp();
    const request = { promptIds: [7], maxNewTokens: 5, eosTokenIds: [] };
    const prepare = () => {
      throw new Error("no such state");
    };
    const [failed, other] = await Promise.allSettled([
      run(engine, { ...request, constraint: () => ({ ...FREE, prepare }) }),
      run(engine, request),
    ]);
    expect(failed).toMatchObject({ reason: { message: "no such state" } });
    expect(other).toMatchObject({ value: expected(request) });
    expectNothingHeld(engine);
  });

  it("fails a request whose logits are not finite, and no other", async () => {
    const { model, engine } = setUp();
    const { run: compute } = model;
    const broken: typeof compute = async (batch, options) => {
      const results = [...(await compute(batch, options))];
      const at = batch.sequences.findIndex(({ tokens }) => tokens.includes(23));
      if (at >= 0) results[at] = { ...results[at]!, token: -1 };
      return results;
    };
    Object.assign(model, { run: broken });
    const request = { promptIds: [1], maxNewTokens: 2, eosTokenIds: [] };
    const [failed, other] = await Promise.allSettled([
      run(engine, { ...request, promptIds: [23] }),
      run(engine, request),
    ]);
    expect(failed).toMatchObject({ reason: { code: "MODEL_LOGITS_NOT_FINITE" } });
    expect(other).toMatchObject({ value: expected(request) });
  });

  it.each<[string, Partial<EngineRequest>]>([
    ["no prompt", { promptIds: [] }],
    ["an id over the vocabulary", { promptIds: [TOY_VOCAB_SIZE] }],
    ["a prompt over the pool", { promptIds: ids(300, 1) }],
    ["no token to generate", { maxNewTokens: 0 }],
    ["a temperature below zero", { temperature: -1 }],
    ["an adapter below zero", { adapter: -1 }],
    ["a bias for no token", { logitBias: new Map([[TOY_VOCAB_SIZE, 1]]) }],
    ["a bias for a token below zero", { logitBias: new Map([[-1, 1]]) }],
    ["a bias for half a token", { logitBias: new Map([[1.5, 1]]) }],
    ["a bias that is no number", { logitBias: new Map([[1, Number.NaN]]) }],
  ])("refuses %s", async (_, wrong) => {
    const { model, engine } = setUp();
    const request = { promptIds: [1], maxNewTokens: 1, ...wrong };
    await expect(run(engine, request)).rejects.toThrow(code("MODEL_INVALID_ARGUMENT"));
    expect(model.batches).toEqual([]);
  });
});

describe("steps", () => {
  const request = { promptIds: [1, 2], maxNewTokens: 5, eosTokenIds: [] };
  const positions = (batch: { sequences: readonly { tokens: readonly number[]; position: number }[] }) =>
    batch.sequences.map(({ tokens, position }) => `${position}+${tokens.length}`).join(" ");

  it("take in what comes and let go what ends, without a step more", async () => {
    const { model, engine } = setUp();
    const first = run(engine, request);
    const second = run(engine, { ...request, promptIds: ids(9, 1), maxNewTokens: 2 });
    await Promise.all([first, second]);
    expect(model.batches.map(positions)).toEqual(["0+2 0+9", "2+1 9+1", "3+1", "4+1", "5+1"]);
  });

  it("begin the next before consumers hear of the last one's tokens", async () => {
    const events: string[] = [];
    const { engine } = setUp({ onStep: () => void events.push("step") });
    for await (const _ of engine.generate({ ...request, maxNewTokens: 3 })) events.push("token");
    expect(events).toEqual(["step", "step", "token", "step", "token", "token"]);
  });

  it("wait for no consumer", async () => {
    const { engine } = setUp();
    const slow = engine.generate(request);
    const first = await slow.next();
    expect(await run(engine, { ...request, maxNewTokens: 20 })).toMatchObject({ reason: "length" });
    expectNothingHeld(engine);
    const rest = await collect(slow);
    expect([(first.value as GeneratedToken).id, ...rest.ids]).toEqual(expected(request).ids);
  });

  it("leave out a request from the step after its consumer has gone", async () => {
    const { model, engine } = setUp();
    const other = run(engine, { ...request, maxNewTokens: 8 });
    for await (const _ of engine.generate({ ...request, promptIds: [9], maxNewTokens: 100 })) break;
    await other;
    const widths = model.batches.map(({ sequences }) => sequences.length);
    expect(widths).toEqual([2, 2, 1, 1, 1, 1, 1, 1]);
  });

  it("are cut short when nobody waits for them any more", async () => {
    const aborted: boolean[] = [];
    const { engine } = setUp({
      onStep: (_, signal) =>
        new Promise((resolve) => {
          signal!.addEventListener("abort", () => {
            aborted.push(true);
            resolve();
          });
          setImmediate(() => controller.abort());
        }),
    });
    const controller = new AbortController();
    const running = run(engine, { ...request, signal: controller.signal });
    await expect(running).rejects.toThrow(code("TENSOR_CANCELLED"));
    expect(aborted).toEqual([true]);
  });

  it("fail their requests when the model fails, and no others", async () => {
    let step = 0;
    const { engine } = setUp(
      {
        onStep: () => {
          step += 1;
          if (step === 3) throw new Error("out of memory");
        },
      },
      { maxConcurrent: 2 },
    );
    const outcomes = await Promise.allSettled(
      [1, 2, 3, 4].map((id) => run(engine, { ...request, promptIds: [id] })),
    );
    for (const outcome of outcomes.slice(0, 2))
      expect(outcome).toMatchObject({ reason: { message: "out of memory" } });
    for (const [i, outcome] of outcomes.slice(2).entries())
      expect(outcome).toMatchObject({ value: expected({ ...request, promptIds: [i + 3] }) });
    expectNothingHeld(engine);
  });
});

describe("admission", () => {
  const request = { promptIds: [1, 2], maxNewTokens: 4, eosTokenIds: [] };

  it("is in the order of arrival", async () => {
    const finished: number[] = [];
    const { engine } = setUp({}, { maxConcurrent: 2 });
    await Promise.all(
      [4, 4, 1, 1, 1].map(async (maxNewTokens, i) => {
        await run(engine, { ...request, promptIds: [i + 1], maxNewTokens });
        finished.push(i);
      }),
    );
    expect(finished).toEqual([0, 1, 2, 3, 4]);
  });

  it("refuses what is more than may wait, until one has ended", async () => {
    const { engine } = setUp({}, { maxConcurrent: 2, maxQueued: 1 });
    const running = [1, 2, 3].map((id) => run(engine, { ...request, promptIds: [id] }));
    await expect(run(engine, request)).rejects.toThrow(code("MODEL_OVERLOADED"));
    await running[0];
    expect(await run(engine, request)).toEqual(expected(request));
    await Promise.all(running);
  });

  it("holds nothing for a generator that never began", () => {
    const { engine } = setUp();
    engine.generate(request);
    expectNothingHeld(engine);
  });

  it("refuses a request that is cancelled before it begins", async () => {
    const { model, engine } = setUp();
    await expect(run(engine, { ...request, signal: AbortSignal.abort() })).rejects.toThrow(
      code("TENSOR_CANCELLED"),
    );
    expect(model.batches).toEqual([]);
  });

  it.each([{ maxConcurrent: 0 }, { maxStepTokens: 8, maxConcurrent: 9 }, { maxStepReads: 2.5 }])(
    "refuses bounds %j",
    (options) => {
      expect(() => setUp({}, options)).toThrow(code("MODEL_INVALID_ARGUMENT"));
    },
  );
});

describe("generateSamples()", () => {
  it("computes the prompt's full pages once, and draws by other seeds", async () => {
    const { engine } = setUp({ pageCount: 200 });
    const request = { promptIds: ids(42, 6), maxNewTokens: 6, temperature: 1.5, seed: 9, eosTokenIds: [] };
    const samples = await Promise.all(engine.generateSamples(request, 8).map(collect));
    expect(samples[0]).toEqual(expected(request));
    expect(new Set(samples.map(({ ids: each }) => each.join())).size).toBeGreaterThan(5);
    // Forty tokens fill pages; each sample computes the two others, and all its own but the last.
    expect(engine.stats.computedTokens).toBe(40 + 8 * (2 + 5));
  });

  it("makes a constraint for each", async () => {
    const { engine } = setUp();
    const constraint = () => {
      let accepted = 0;
      return {
        fill: (mask: Int32Array) => void mask.fill(accepted === 0 ? 0b0011_0000 : 0b1100_0000),
        accept: () => void accepted++,
        get isDone() {
          return accepted === 2;
        },
      };
    };
    const request = { promptIds: [7], maxNewTokens: 9, temperature: 2, constraint };
    for (const { ids: generated } of await Promise.all(engine.generateSamples(request, 6).map(collect))) {
      expect(generated).toHaveLength(2);
      expect([4, 5]).toContain(generated[0]);
      expect([6, 7]).toContain(generated[1]);
    }
  });
});

describe("score()", () => {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

  function expectedScore(contextIds: readonly number[], continuationIds: readonly number[], adapter = 0) {
    const rows = continuationIds.map((token, i) => {
      const logProbs = toyLogProbs([...contextIds, ...continuationIds.slice(0, i)], adapter);
      return { logProb: logProbs[token]!, isGreedy: logProbs[token] === Math.max(...logProbs) };
    });
    const logProbNats = sum(rows.map(({ logProb }) => logProb));
    return { logProbNats, isGreedy: rows.every(({ isGreedy }) => isGreedy) };
  }

  /** Few-shot questions: long common contexts, and several answers each. */
  const questions = Array.from({ length: 30 }, (_, i) => {
    const contextIds = [...ids(21, i % 3), ...ids(3 + (i % 6), 100 + i)];
    const answers = [[1 + (i % 4)], [2], ids(1 + (i % 5), i), []];
    return answers.map((continuationIds) => ({ contextIds, continuationIds, adapter: i % 2 }));
  }).flat();

  it.each(CONFIGURATIONS)("is the sum of the model's log-probabilities: %s", async (_, toy, options) => {
    const { engine } = setUp(toy, options);
    const scores = await engine.score(questions);
    const reference = questions.map(({ contextIds, continuationIds, adapter }) =>
      expectedScore(contextIds, continuationIds, adapter),
    );
    expect(scores).toEqual(reference);
    expectNothingHeld(engine);
  });

  it("computes what requests have in common once", async () => {
    const { engine } = setUp({ pageCount: 400 });
    const contextIds = ids(40, 1);
    const answers = Array.from({ length: 50 }, (_, i) => ({
      contextIds,
      continuationIds: [1 + (i % 20), 2 + (i % 3)],
    }));
    await engine.score(answers);
    // Two tokens are read, the last of the context and one more: of the ten pages the last runs for each of twenty.
    expect(engine.stats.computedTokens).toBe(36 + 20 * (4 + 1));
  });

  it("runs beside generations, which take their turn", async () => {
    const { engine } = setUp({ pageCount: 24 }, { maxStepTokens: 16, maxConcurrent: 8 });
    const all = requests(10, 4);
    const scoring = engine.score(questions);
    const outcomes = await Promise.all(all.map((request) => run(engine, request)));
    expect(outcomes).toEqual(all.map(expected));
    expect(engine.stats.running).toBeGreaterThan(0);
    await scoring;
    expectNothingHeld(engine);
  });

  it("tells how far it is", async () => {
    const { engine } = setUp();
    const seen: number[] = [];
    await engine.score(questions, {
      onProgress: (done, total) => {
        expect(total).toBe(questions.length);
        seen.push(done);
      },
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(questions.length);
  });

  it("ends within a step when it is cancelled", async () => {
    const controller = new AbortController();
    const { engine } = setUp({ onStep: () => controller.abort() });
    await expect(engine.score(questions, { signal: controller.signal })).rejects.toThrow(
      code("TENSOR_CANCELLED"),
    );
    await turn();
    expect(engine.stats.steps).toBe(1);
    expectNothingHeld(engine);
  });

  it("fails when a step of it fails, and takes the rest back", async () => {
    const { engine } = setUp({
      onStep: () => {
        throw new Error("out of memory");
      },
    });
    await expect(engine.score(questions)).rejects.toThrow("out of memory");
    await turn();
    expect(engine.stats.steps).toBe(1);
    expectNothingHeld(engine);
  });

  it("scores nothing without a step", async () => {
    const { model, engine } = setUp();
    expect(await engine.score([])).toEqual([]);
    expect(await engine.score([{ contextIds: [1], continuationIds: [] }])).toEqual([
      { logProbNats: 0, isGreedy: true },
    ]);
    expect(model.batches).toEqual([]);
  });

  it.each([
    ["an empty context", { contextIds: [], continuationIds: [1] }],
    ["an id over the vocabulary", { contextIds: [1], continuationIds: [99] }],
    ["more tokens than the pool holds", { contextIds: ids(300, 1), continuationIds: [1] }],
  ])("refuses %s", async (_, wrong) => {
    const { engine } = setUp();
    await expect(engine.score([wrong])).rejects.toThrow(code("MODEL_INVALID_ARGUMENT"));
  });
});

describe("dispose()", () => {
  const request = { promptIds: [1, 2], maxNewTokens: 50, eosTokenIds: [] };

  it("fails what is under way, waits for the step, and disposes the model", async () => {
    const { model, engine } = setUp({}, { maxConcurrent: 2 });
    const running = Promise.allSettled([
      ...[1, 2, 3].map((id) => run(engine, { ...request, promptIds: [id] })),
      engine.score([{ contextIds: [5], continuationIds: [6] }]),
    ]);
    await turn();
    await Promise.all([engine.dispose(), engine.dispose()]);
    expect(model.isDisposed).toBe(true);
    for (const outcome of await running)
      expect(outcome).toMatchObject({ reason: { code: "MODEL_DISPOSED" } });
    expectNothingHeld(engine);
  });

  it("lets nothing begin afterwards", async () => {
    const { engine } = setUp();
    await engine.dispose();
    await expect(run(engine, request)).rejects.toThrow(code("MODEL_DISPOSED"));
    const scoring = engine.score([{ contextIds: [5], continuationIds: [6] }]);
    await expect(scoring).rejects.toThrow(code("MODEL_DISPOSED"));
  });
});

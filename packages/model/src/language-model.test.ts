import {
  compile,
  dim,
  type Executable,
  spec,
  Tensor,
  trace,
  type Value,
  weight,
  weightsFrom,
} from "@flacuna/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { llamaParameterShapes } from "./config.ts";
import { TOY, toyWeights } from "./fixtures/toy-model.ts";
import { toyTokenizer } from "./fixtures/toy-tokenizer.ts";
import {
  createLanguageModel,
  type GenerateOptions,
  type LanguageModel,
  type LanguageModelOptions,
} from "./language-model.ts";
import { linear } from "./layers/linear.ts";
import { llamaLogits } from "./llama.ts";

const source = weightsFrom(toyWeights(TOY));
const tokenizer = toyTokenizer();
const PROMPTS = [[1, 5, 6, 7, 8, 9], [1], [1, 20, 21], [1, 44, 3, 12, 13, 14, 15, 16, 17], [1, 5, 6]];
const V = TOY.vocabSize;
const endless = { eosTokenIds: [] } as const;

let model: LanguageModel;
let whole: Executable;

beforeAll(async () => {
  const options = { threads: 1, maxConcurrent: 3, cacheTokens: 256 };
  model = createLanguageModel({ config: TOY, weights: source, tokenizer }, options);
  const shapes = llamaParameterShapes(TOY);
  const params = (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
  const program = trace(
    (inputIds) => llamaLogits(TOY, params, { inputIds }),
    [spec("int64", [dim("B"), dim("T")])],
  );
  whole = await compile(program, { weights: source, threads: 1 });
});
afterAll(async () => {
  await model.dispose();
  await whole.dispose();
});

/** Logits after every token of `ids`, without any cache: [T][V]. */
async function recompute(ids: readonly number[]): Promise<number[][]> {
  const logits = (await whole.run([Tensor.fromArray("int64", [1, ids.length], ids)])) as Value;
  const numbers = (await logits.toTensor()).toNumbers();
  logits.dispose();
  return ids.map((_, t) => numbers.slice(t * V, (t + 1) * V));
}

function logSoftmax(row: readonly number[]): number[] {
  const highest = Math.max(...row);
  const total = highest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - highest), 0));
  return row.map((x) => x - total);
}

const indexOfMax = (values: readonly number[]) => values.indexOf(Math.max(...values));

async function collect(promptIds: readonly number[], options: GenerateOptions) {
  const ids: number[] = [];
  const tokens = model.generate(promptIds, options);
  for (;;) {
    const { value, done } = await tokens.next();
    if (done) return { ids, finishReason: value };
    ids.push(value);
  }
}

describe("generate()", () => {
  it("chooses greedily what recomputation without a cache chooses", async () => {
    for (const prompt of PROMPTS) {
      const ids = [...prompt];
      for (let step = 0; step < 12; step++) ids.push(indexOfMax((await recompute(ids)).at(-1)!));
      const generated = await collect(prompt, { maxNewTokens: 12, ...endless });
      expect(generated).toEqual({ ids: ids.slice(prompt.length), finishReason: "length" });
    }
  });

  it("gives the same tokens for the same seed, and others for another", async () => {
    const options = { maxNewTokens: 20, temperature: 1, topP: 0.95, ...endless };
    const first = await collect([1, 5], { ...options, seed: 3 });
    expect(await collect([1, 5], { ...options, seed: 3 })).toEqual(first);
    expect(await collect([1, 5], { ...options, seed: 4 })).not.toEqual(first);
  });

  it("leaves out the end of sequence and says that the model stopped", async () => {
    const { ids } = await collect([1, 5], { maxNewTokens: 5, ...endless });
    const eos = ids.find((id, i) => i > 0 && ids.indexOf(id) === i) ?? ids[0]!;
    const stopped = await collect([1, 5], { maxNewTokens: 5, eosTokenIds: [eos] });
    expect(stopped).toEqual({ ids: ids.slice(0, ids.indexOf(eos)), finishReason: "stop" });
  });

  it("stops once the text contains a stop string", async () => {
    const { ids } = await collect([1, 5], { maxNewTokens: 8, ...endless });
    const text = tokenizer.decode(ids.slice(2, 4));
    const stopped = await collect([1, 5], { maxNewTokens: 8, stop: [text], ...endless });
    expect(stopped.finishReason).toBe("stop");
    expect(tokenizer.decode(stopped.ids).indexOf(text)).toBe(
      tokenizer.decode(stopped.ids).length - text.length,
    );
  });

  it("holds the text to a JSON schema, each request to its own", async () => {
    const schemas = [{ type: "boolean" }, { type: "null" }, undefined];
    const texts = await Promise.all(
      schemas.map(async (jsonSchema) => {
        const options = { maxNewTokens: 9, temperature: 3, logitBias: new Map([[3, -100]]) };
        const { ids, finishReason } = await collect([1, 5], { ...options, jsonSchema });
        return { text: tokenizer.decode(ids), finishReason };
      }),
    );
    expect(texts[0]).toEqual({ text: expect.stringMatching(/^(true|false)$/), finishReason: "stop" });
    expect(texts[1]).toEqual({ text: "null", finishReason: "stop" });
    expect(texts[2]!.text).not.toMatch(/^(true|false|null)$/);
  });

  it.each([
    ["a keyword that it cannot hold to", { jsonSchema: { not: {} } }, "MODEL_SCHEMA_UNSUPPORTED"],
    ["what is no schema", { jsonSchema: 7 }, "MODEL_INVALID_ARGUMENT"],
    ["a schema without values", { jsonSchema: false }, "MODEL_INVALID_ARGUMENT"],
    ["a bias for no token", { logitBias: new Map([[V, 1]]) }, "MODEL_INVALID_ARGUMENT"],
    ["a bias for half a token", { logitBias: new Map([[0.5, 1]]) }, "MODEL_INVALID_ARGUMENT"],
  ])("refuses %s", async (_, wrong, errorCode) => {
    const refused = collect([1, 5], { maxNewTokens: 5, ...wrong });
    await expect(refused).rejects.toThrow(expect.objectContaining({ code: errorCode }));
  });

  it("goes beyond the positions the model was trained for", async () => {
    const { ids } = await collect([1], { maxNewTokens: TOY.maxPositionEmbeddings + 10, ...endless });
    expect(ids).toHaveLength(74);
  });

  it("serves several callers at once", async () => {
    const options = { maxNewTokens: 6, ...endless };
    const alone = [];
    for (const prompt of PROMPTS) alone.push(await collect(prompt, options));
    expect(await Promise.all(PROMPTS.map((prompt) => collect(prompt, options)))).toEqual(alone);
  });

  it("ends with TENSOR_CANCELLED when its signal aborts", async () => {
    const controller = new AbortController();
    const run = async () => {
      for await (const _ of model.generate([1, 5], {
        maxNewTokens: 50,
        signal: controller.signal,
        ...endless,
      })) {
        controller.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "TENSOR_CANCELLED" });
  });

  it.each([
    [[], { maxNewTokens: 1 }],
    [[1, 50], { maxNewTokens: 1 }],
    [[-1], { maxNewTokens: 1 }],
    [[1], { maxNewTokens: 0 }],
    [[1], { maxNewTokens: 1, temperature: -1 }],
  ])("refuses %j with %j", async (prompt, options) => {
    await expect(collect(prompt, options)).rejects.toMatchObject({ code: "MODEL_INVALID_ARGUMENT" });
  });
});

describe("generateSamples()", () => {
  it("gives what generate() gives for the first, and holds all to the schema", async () => {
    const options = { maxNewTokens: 9, temperature: 3, seed: 2, jsonSchema: { type: "boolean" } };
    const samples = await Promise.all(
      model.generateSamples([1, 5], options, 6).map(async (tokens) => {
        const ids: number[] = [];
        for await (const { id } of tokens) ids.push(id);
        return ids;
      }),
    );
    expect(samples[0]).toEqual((await collect([1, 5], options)).ids);
    expect(new Set(samples.map((ids) => tokenizer.decode(ids).trim()))).toEqual(new Set(["true", "false"]));
  });
});

describe("generateBatch()", () => {
  it("gives each prompt what generate() gives it alone, whatever it is batched with", async () => {
    for (const temperature of [0, 1]) {
      const options = { maxNewTokens: 9, temperature, seed: 7 };
      const alone = [];
      for (const prompt of PROMPTS) alone.push((await collect(prompt, options)).ids);
      expect(await model.generateBatch(PROMPTS, options)).toEqual(alone);
    }
  });

  it("gives prompts with a common beginning what each gets alone", async () => {
    const shot = [1, 9, 8, 7, 6, 5, 4, 3, 9, 8];
    const prompts = [[...shot, 11, 12], shot, [...shot, 11], [...shot, 20, 21, 22], shot, [1, 9, 8]];
    const options = { maxNewTokens: 8, ...endless };
    const together = await model.generateBatch(prompts, options);
    const alone = [];
    for (const prompt of prompts) alone.push((await collect(prompt, options)).ids);
    expect(together).toEqual(alone);
  });

  it("takes options per prompt", async () => {
    const perPrompt = [{ maxNewTokens: 2 }, { seed: 1 }, { seed: 2 }];
    const options = { maxNewTokens: 10, temperature: 1, ...endless };
    const results = await model.generateBatch([[1], [1], [1]], { ...options, perPrompt });
    const alone = await Promise.all(perPrompt.map((each) => collect([1], { ...options, ...each })));
    expect(results).toEqual(alone.map(({ ids }) => ids));
    expect(results[1]).not.toEqual(results[2]);
  });

  it("reports progress up to the number of prompts", async () => {
    const seen: number[][] = [];
    await model.generateBatch(PROMPTS, { maxNewTokens: 1, onProgress: (...progress) => seen.push(progress) });
    expect(seen).toEqual([1, 2, 3, 4, 5].map((done) => [done, 5]));
  });

  it("ends all its sequences when one of them fails", async () => {
    const options = { maxNewTokens: 50, ...endless };
    await expect(model.generateBatch([[1], [1, 50], [2]], options)).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
    });
    expect(model.stats.running + model.stats.waiting).toBe(0);
  });

  it("returns nothing for no prompts", async () => {
    expect(await model.generateBatch([], { maxNewTokens: 1 })).toEqual([]);
  });
});

describe("loglikelihood()", () => {
  const requests = [
    { contextIds: [1, 5, 6, 7, 8], continuationIds: [9] },
    { contextIds: [1, 5, 6, 7, 8], continuationIds: [10] },
    { contextIds: [1], continuationIds: [20, 21, 22, 23, 24, 25, 26] },
    { contextIds: [1, 5, 6], continuationIds: [7, 8, 11] },
    { contextIds: [1, 5, 6, 7], continuationIds: [] },
    { contextIds: [1, 5, 6, 7, 8], continuationIds: [9, 10, 11] },
    { contextIds: [1, 5, 6, 7, 8], continuationIds: [9, 12] },
    { contextIds: [1, 30, 31, 32], continuationIds: [33] },
  ];

  it("is the sum of the log-softmax of recomputed logits, whatever the request runs beside", async () => {
    const scores = await model.loglikelihood(requests);
    for (const [i, { contextIds, continuationIds }] of requests.entries()) {
      const logits = await recompute([...contextIds, ...continuationIds]);
      const rows = continuationIds.map((target, j) => ({ target, row: logits[contextIds.length - 1 + j]! }));
      const nats = rows.map(({ target, row }) => logSoftmax(row)[target]!);
      expect(scores[i]!.logProbNats).toBeCloseTo(
        nats.reduce((a, b) => a + b, 0),
        3,
      );
      expect(scores[i]!.isGreedy).toBe(rows.every(({ target, row }) => indexOfMax(row) === target));
    }
  });

  it("finds that greedy continuations are greedy", async () => {
    const { ids } = await collect([1, 5, 6], { maxNewTokens: 5, ...endless });
    const [own, other] = await model.loglikelihood([
      { contextIds: [1, 5, 6], continuationIds: ids },
      { contextIds: [1, 5, 6], continuationIds: [...ids.slice(0, -1), (ids.at(-1)! + 1) % V] },
    ]);
    expect(own!.isGreedy).toBe(true);
    expect(other!.isGreedy).toBe(false);
    expect(own!.logProbNats).toBeGreaterThan(other!.logProbNats);
  });

  it("refuses an empty context", async () => {
    await expect(model.loglikelihood([{ contextIds: [], continuationIds: [1] }])).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
    });
  });
});

describe("generateTokens()", () => {
  it("gives the log-softmax of recomputed logits, and the likeliest of it", async () => {
    const prompt = [1, 5, 6];
    const tokens = model.generateTokens(prompt, { maxNewTokens: 3, topLogProbs: 4, ...endless });
    const ids = [...prompt];
    for await (const { id, logProb, top } of tokens) {
      const row = (await recompute(ids)).at(-1)!;
      const order = Array.from(row.keys()).sort((a, b) => row[b]! - row[a]!);
      expect(top.map((each) => each.id)).toEqual(order.slice(0, 4));
      expect(top[0]!.logProb).toBeCloseTo(logSoftmax(row)[order[0]!]!, 4);
      expect(logProb).toBeCloseTo(logSoftmax(row)[id]!, 4);
      ids.push(id);
    }
    expect(ids).toHaveLength(prompt.length + 3);
  });
});

describe("without native kernels", () => {
  let plain: LanguageModel;
  beforeAll(() => {
    const options = { threads: 1, cacheTokens: 256, kernels: false };
    plain = createLanguageModel({ config: TOY, weights: source, tokenizer }, options);
  });
  afterAll(() => plain.dispose());

  it.each([
    { temperature: 0 },
    { temperature: 1.5, topK: 20, minP: 0.01, seed: 5 },
    { repetitionPenalty: 1.4, presencePenalty: 0.5, logitBias: new Map([[7, 2]]) },
  ])("generates the same tokens with %j", async (choice) => {
    const options = { maxNewTokens: 8, ...choice, ...endless };
    expect(await plain.generateBatch(PROMPTS, options)).toEqual(await model.generateBatch(PROMPTS, options));
  });

  it("gives the same scores and alternatives", async () => {
    const requests = PROMPTS.map((contextIds) => ({ contextIds, continuationIds: [9, 10, 4] }));
    const [scores, expected] = [await plain.loglikelihood(requests), await model.loglikelihood(requests)];
    for (const [i, { logProbNats, isGreedy }] of scores.entries()) {
      expect(logProbNats).toBeCloseTo(expected[i]!.logProbNats, 3);
      expect(isGreedy).toBe(expected[i]!.isGreedy);
    }
    const options = { maxNewTokens: 2, topLogProbs: 3, ...endless };
    const tops = async (each: LanguageModel) => {
      const ids: number[][] = [];
      for await (const { top } of each.generateTokens([1, 5], options)) ids.push(top.map(({ id }) => id));
      return ids;
    };
    expect(await tops(plain)).toEqual(await tops(model));
  });
});

describe("precision", () => {
  const generated = async (options: LanguageModelOptions) => {
    const other = createLanguageModel(
      { config: TOY, weights: source, tokenizer },
      { threads: 1, cacheTokens: 256, ...options },
    );
    const scores = await other.loglikelihood([{ contextIds: [1, 5, 6, 7], continuationIds: [8, 9, 10] }]);
    await other.dispose();
    return scores[0]!.logProbNats;
  };

  it.each([
    ["bfloat16", 0.05],
    ["int16", 0.005],
    ["int8", 0.1],
    ["int4", 1.5],
  ] as const)("%s gives scores near float32's, and others", async (precision, distance) => {
    const [rounded, exact] = [await generated({ precision }), await generated({})];
    expect(Math.abs(rounded - exact)).toBeLessThan(distance);
    expect(rounded).not.toBe(exact);
  });

  it.each(["int8", "int4"] as const)(
    "%s gives a sequence the same bits whatever is beside it",
    async (precision) => {
      const other = createLanguageModel(
        { config: TOY, weights: source, tokenizer },
        { threads: 1, cacheTokens: 1024, precision, maxStepTokens: 16, maxConcurrent: 8 },
      );
      const requests = PROMPTS.map((contextIds, i) => ({ contextIds, continuationIds: [3 + i, 7, 9] }));
      const together = await other.loglikelihood(requests);
      const alone = [];
      for (const request of requests) alone.push((await other.loglikelihood([request]))[0]);
      await other.dispose();
      expect(together).toEqual(alone);
    },
  );
});

describe("createLanguageModel()", () => {
  it("sends every projection through the given linear", async () => {
    const paths = new Set<string>();
    const watched = createLanguageModel(
      { config: TOY, weights: source, tokenizer },
      {
        threads: 1,
        linear: (path, x, w) => {
          paths.add(path);
          return linear(path, x, w);
        },
      },
    );
    await watched.generateBatch([[1]], { maxNewTokens: 1 });
    await watched.dispose();
    expect(paths.size).toBe(7 * TOY.numHiddenLayers + 1);
  });

  it("refuses a tokenizer with more tokens than the model", () => {
    const config = { ...TOY, vocabSize: 49 };
    expect(() => createLanguageModel({ config, weights: source, tokenizer })).toThrow(/49/);
  });

  it("refuses to work once disposed", async () => {
    const gone = createLanguageModel({ config: TOY, weights: source, tokenizer });
    await gone.dispose();
    await expect(gone.generateBatch([[1]], { maxNewTokens: 1 })).rejects.toMatchObject({
      code: "MODEL_DISPOSED",
    });
  });
});

// Greedy tokens and log-likelihoods, held to transformers' generate() and log_softmax; the adapter merged, and beside the weights.
import { loraLinear, stackAdapters } from "@flacuna/lora";
import {
  createLanguageModel,
  createTokenizer,
  type LanguageModel,
  type Linear,
  llamaParameterShapes,
} from "@flacuna/model";
import { type Tensor, type Tracer, type WeightSource, weight, weightsFrom } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { TOLERANCE, worstError } from "./closeness.ts";
import { byPeftName, type GoldenGeneration, mergeToy, TOYS, type ToyModel } from "./toy-models.ts";

const GREEDY = { maxNewTokens: 20, eosTokenIds: [] } as const;

/** Text is not looked at here: a tokenizer of the special tokens alone. */
const tokenizer = createTokenizer({
  tokenizer: {
    added_tokens: [],
    normalizer: null,
    decoder: null,
    model: { type: "BPE", vocab: { "<unk>": 0, "<s>": 1, "</s>": 2 }, merges: [], unk_token: "<unk>" },
  },
  config: { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" },
});

function modelOf({ config }: ToyModel, weights: WeightSource, linear?: Linear): LanguageModel {
  return createLanguageModel({ config, weights, tokenizer }, { threads: 1, ...(linear && { linear }) });
}

/** The adapter's factors as further weights of the model, and the projections that use them. */
function besideWeights({ parameters, adapter }: ToyModel): { weights: WeightSource; linear: Linear } {
  const factors = byPeftName(adapter.tensors);
  const factor = (name: string, { shape }: Tensor): Tracer => weight(name, { dtype: "float32", shape });
  const linear: Linear = (path, x, base) => {
    const module = path.replace(/\.weight$/, "");
    const pair = adapter.tensors[module];
    if (pair === undefined) return loraLinear({}, adapter.config)(path, x, base);
    const [A, B] = (["A", "B"] as const).map((side) =>
      factor(`base_model.model.${module}.lora_${side}.weight`, pair[side]),
    );
    return loraLinear({ [module]: { A: A!, B: B! } }, adapter.config)(path, x, base);
  };
  return { weights: weightsFrom(new Map(Object.entries({ ...parameters, ...factors }))), linear };
}

/** The model with its adapter as one that sequences may have. */
function withStack({ config, weights, adapter }: ToyModel): LanguageModel {
  const adapters = stackAdapters(llamaParameterShapes(config), { tuned: adapter });
  return createLanguageModel({ config, weights, tokenizer }, { threads: 1, adapters });
}

async function together(model: LanguageModel, golden: readonly GoldenGeneration[]): Promise<number[][]> {
  const tokens = await model.generateBatch(
    golden.map(({ promptIds }) => promptIds),
    GREEDY,
  );
  await model.dispose();
  return tokens;
}

async function oneByOne(model: LanguageModel, golden: readonly GoldenGeneration[]): Promise<number[][]> {
  const all: number[][] = [];
  for (const { promptIds } of golden) {
    const tokens: number[] = [];
    for await (const token of model.generate(promptIds, GREEDY)) tokens.push(token);
    all.push(tokens);
  }
  await model.dispose();
  return all;
}

const tokensOf = (golden: readonly GoldenGeneration[]) => golden.map(({ tokenIds }) => tokenIds);

describe("LanguageModel.generateBatch()", () => {
  it.each(TOYS)("gives the reference's tokens for $name", async (toy) => {
    const { generations } = toy.numbers;
    expect(await together(modelOf(toy, toy.weights), generations)).toEqual(tokensOf(generations));
  });

  it.each(TOYS)("gives the reference's tokens for $name with its adapter merged", async (toy) => {
    const { adapterGenerations } = toy.numbers;
    const merged = weightsFrom(new Map(Object.entries(await mergeToy(toy))));
    expect(await together(modelOf(toy, merged), adapterGenerations)).toEqual(tokensOf(adapterGenerations));
  });

  it.each(TOYS)("gives the reference's tokens for $name with its adapter beside the weights", async (toy) => {
    const { adapterGenerations } = toy.numbers;
    const { weights, linear } = besideWeights(toy);
    expect(await together(modelOf(toy, weights, linear), adapterGenerations)).toEqual(
      tokensOf(adapterGenerations),
    );
  });

  it.each(TOYS)(
    "gives the reference's tokens for $name with and without its adapter in one batch",
    async (toy) => {
      const { adapterGenerations, generations } = toy.numbers;
      const model = withStack(toy);
      const all = [...generations, ...adapterGenerations];
      const tokens = await model.generateBatch(
        all.map(({ promptIds }) => promptIds),
        { ...GREEDY, perPrompt: all.map((_, i) => (i < generations.length ? {} : { adapter: "tuned" })) },
      );
      await model.dispose();
      expect(tokens).toEqual(tokensOf(all));
    },
  );
});

describe("LanguageModel.generate()", () => {
  it.each(TOYS)("gives the reference's tokens for $name, one sequence at a time", async (toy) => {
    const { generations } = toy.numbers;
    expect(await oneByOne(modelOf(toy, toy.weights), generations)).toEqual(tokensOf(generations));
  });

  it.each(TOYS)("gives the reference's tokens for $name with its adapter merged", async (toy) => {
    const { adapterGenerations } = toy.numbers;
    const merged = weightsFrom(new Map(Object.entries(await mergeToy(toy))));
    expect(await oneByOne(modelOf(toy, merged), adapterGenerations)).toEqual(tokensOf(adapterGenerations));
  });
});

describe("LanguageModel.loglikelihood()", () => {
  it.each(TOYS)("gives the reference's scores for $name", async (toy) => {
    const golden = toy.numbers.logLikelihoods;
    const model = modelOf(toy, toy.weights);
    const scores = await model.loglikelihood(golden);
    await model.dispose();
    expect(scores.map(({ isGreedy }) => isGreedy)).toEqual(golden.map(({ isGreedy }) => isGreedy));
    const error = worstError(
      scores.map(({ logProbNats }) => logProbNats),
      golden.map(({ logProbNats }) => logProbNats),
    );
    expect(error).toBeLessThanOrEqual(TOLERANCE);
  });
});

import { dim, evaluate, spec, Tensor, trace, type WeightSource, weight, weightsFrom } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { type LlamaConfig, llamaParameterShapes } from "./config.ts";
import { TOY, toyWeights } from "./fixtures/toy-model.ts";
import { toyTokenizer } from "./fixtures/toy-tokenizer.ts";
import { createLanguageModel } from "./language-model.ts";
import { type LlamaOptions, llamaLogits } from "./llama.ts";
import { rotateCheckpoint } from "./rotate.ts";

const IDS = Tensor.fromArray("int64", [2, 5], [1, 7, 8, 9, 10, 2, 4, 49, 3, 11]);
const WIDE: LlamaConfig = { ...TOY, intermediateSize: 128 };

/** Everything a source has of a configuration's parameters, read. */
async function readAll(config: LlamaConfig, source: WeightSource): Promise<Map<string, Tensor>> {
  const entries = [...llamaParameterShapes(config).keys()].map(
    async (path) => [path, await source.get(path)!.read()] as const,
  );
  return new Map(await Promise.all(entries));
}

function logits(config: LlamaConfig, tensors: Map<string, Tensor>, options: LlamaOptions = {}): number[] {
  const shapes = llamaParameterShapes(config);
  const parameter = (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
  const program = trace(
    (inputIds) => llamaLogits(config, parameter, { inputIds }, options),
    [spec("int64", [2, dim("T")])],
  );
  return (evaluate(program, [IDS], tensors) as Tensor).toNumbers();
}

function relativeDeviation(actual: readonly number[], expected: readonly number[]): number {
  const square = (values: readonly number[]) => values.reduce((sum, x) => sum + x * x, 0);
  return Math.sqrt(square(actual.map((x, i) => x - expected[i]!)) / square(expected));
}

const NARROW_TIED: LlamaConfig = { ...TOY, tieWordEmbeddings: true };
const NO_BLOCKS: LlamaConfig = { ...TOY, hiddenSize: 15, headDim: 6 };

describe("rotateCheckpoint()", () => {
  it.each([
    ["grouped heads", TOY, false],
    ["Hadamard blocks before down_proj", WIDE, true],
    ["tied embeddings", NARROW_TIED, false],
    ["tied embeddings and Hadamard blocks", { ...WIDE, tieWordEmbeddings: true }, true],
    ["a hidden size that is a power of two", { ...WIDE, hiddenSize: 32 }, true],
    ["an odd hidden size", NO_BLOCKS, false],
  ] as const)("keeps logits, with %s", async (_, config, hadamard) => {
    const tensors = toyWeights(config);
    const rotated = rotateCheckpoint(config, weightsFrom(tensors));
    expect(rotated.hadamard).toBe(hadamard);
    const actual = logits(rotated.config, await readAll(rotated.config, rotated.weights), {
      hadamard: rotated.hadamard,
    });
    expect(relativeDeviation(actual, logits(config, tensors))).toBeLessThan(1e-5);
  });

  it("generates the same tokens", async () => {
    const source = weightsFrom(toyWeights(WIDE));
    const { config, weights, hadamard } = rotateCheckpoint(WIDE, source);
    const tokenizer = toyTokenizer();
    const models = [
      createLanguageModel({ config: WIDE, weights: source, tokenizer }, { threads: 1 }),
      createLanguageModel({ config, weights, tokenizer }, { threads: 1, hadamard }),
    ];
    const [plain, rotated] = await Promise.all(
      models.map((model) => model.generateBatch([[1, 5, 9]], { maxNewTokens: 12, eosTokenIds: [] })),
    );
    expect(rotated).toEqual(plain);
    for (const model of models) await model.dispose();
  });

  it("turns every norm to ones and spreads an outlier over its whole dimension", async () => {
    const tensors = toyWeights(WIDE);
    const embeddings = tensors.get("model.embed_tokens.weight")!;
    for (let token = 0; token < WIDE.vocabSize; token++) embeddings.data[token * WIDE.hiddenSize] = 100;
    const rotated = await readAll(WIDE, rotateCheckpoint(WIDE, weightsFrom(tensors)).weights);
    const norms = [...rotated].filter(([path]) => path.endsWith("norm.weight"));
    expect(norms).toHaveLength(5);
    expect(new Set(norms.flatMap(([, norm]) => norm.toNumbers()))).toEqual(new Set([1]));
    const largest = rotated
      .get("model.embed_tokens.weight")!
      .toNumbers()
      .reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(largest).toBeLessThan(60);
  });

  it("changes what is stored nowhere", async () => {
    const tensors = toyWeights(WIDE);
    const before = new Map([...tensors].map(([path, { data }]) => [path, [...(data as Float32Array)]]));
    await readAll(WIDE, rotateCheckpoint(WIDE, weightsFrom(tensors)).weights);
    for (const [path, { data }] of tensors) expect([...(data as Float32Array)]).toEqual(before.get(path));
  });

  it("gives the same weights for the same seed, others for another", async () => {
    const source = weightsFrom(toyWeights(TOY));
    const read = async (seed: number) =>
      (await rotateCheckpoint(TOY, source, { seed }).weights.get("lm_head.weight")!.read()).toNumbers();
    expect(await read(3)).toEqual(await read(3));
    expect(await read(3)).not.toEqual(await read(4));
  });

  it("reads nothing before it is asked and one weight at a time then", async () => {
    const tensors = weightsFrom(toyWeights(TOY));
    let open = 0;
    const seen: number[] = [];
    const counting: WeightSource = {
      get(path) {
        const stored = tensors.get(path);
        if (stored === undefined) return undefined;
        const read = async () => {
          seen.push(++open);
          await new Promise((resolve) => setImmediate(resolve));
          open--;
          return stored.read();
        };
        return { ...stored, read };
      },
    };
    const { weights } = rotateCheckpoint(TOY, counting);
    expect(weights.get("lm_head.weight")).toMatchObject({ dtype: "float32", shape: [50, 24] });
    expect(seen).toEqual([]);
    await readAll(TOY, weights);
    expect(new Set(seen)).toEqual(new Set([1]));
  });

  it("decodes what is stored in 16 bits", async () => {
    const halves = new Map(
      [...toyWeights(TOY)].map(([path, { shape, data }]) => [
        path,
        Tensor.fromArray("bfloat16", shape, data as Float32Array),
      ]),
    );
    const singles = new Map(
      [...halves].map(([path, half]) => [path, Tensor.fromArray("float32", half.shape, half.toNumbers())]),
    );
    const rotated = (tensors: ReadonlyMap<string, Tensor>) =>
      readAll(TOY, rotateCheckpoint(TOY, weightsFrom(tensors)).weights);
    expect(await rotated(halves)).toEqual(await rotated(singles));
  });

  it("refuses weights that are stored as integers", async () => {
    const path = "model.embed_tokens.weight";
    const source = weightsFrom(new Map([[path, Tensor.zeros("int8", [50, 24])]]));
    await expect(rotateCheckpoint(TOY, source).weights.get(path)!.read()).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED",
      details: { path, dtype: "int8" },
    });
  });

  it("passes on what is no parameter of a model", () => {
    const scale = Tensor.zeros("float32", [1]);
    const { weights } = rotateCheckpoint(TOY, weightsFrom(new Map([["adapter.scale", scale]])));
    expect(weights.get("adapter.scale")).toMatchObject({ shape: [1] });
    expect(weights.get("other")).toBeUndefined();
  });

  it("has coordinates for every projection and for nothing else", () => {
    const { coordinates, config } = rotateCheckpoint(TOY, weightsFrom(new Map()));
    const paths = [...llamaParameterShapes(config)];
    const known = paths.filter(([path]) => coordinates(path) !== undefined).map(([path]) => path);
    const expected = paths.filter(
      ([path, shape]) => shape.length === 2 && path !== "model.embed_tokens.weight",
    );
    expect(known).toEqual(expected.map(([path]) => path));
  });
});

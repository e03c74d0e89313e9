import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor, weightsFrom } from "@flacuna/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TOY, toyWeights } from "./fixtures/toy-model.ts";
import { TOY_TOKENIZER, toyTokenizer } from "./fixtures/toy-tokenizer.ts";
import { createLanguageModel, loadLanguageModel } from "./language-model.ts";
import { writeCheckpoint } from "./weights/checkpoint.ts";

/** Weights that float16 holds exactly, so that how they are stored changes nothing. */
const HALVES = new Map(
  [...toyWeights(TOY)].map(([path, { shape, data }]) => {
    const rounded = Tensor.fromArray("float16", shape, data as Float32Array);
    return [
      path,
      { half: rounded, single: Tensor.fromArray("float32", shape, rounded.toNumbers()) },
    ] as const;
  }),
);

describe("loadLanguageModel()", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "language-model-"));
    const tensors = [...HALVES].map(([name, { half }]) => ({
      name,
      dtype: half.dtype,
      shape: half.shape,
      read: () => half,
    }));
    await writeCheckpoint(folder, TOY, tensors);
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(TOY_TOKENIZER.tokenizer));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("computes from a float16 checkpoint what it computes from its tensors in memory", async () => {
    const weights = weightsFrom(new Map([...HALVES].map(([path, { single }]) => [path, single])));
    const inMemory = createLanguageModel({ config: TOY, weights, tokenizer: toyTokenizer() }, { threads: 1 });
    const loaded = await loadLanguageModel(folder, { threads: 1 });
    const prompt = loaded.tokenizer.encode("hello");
    const options = { maxNewTokens: 10, eosTokenIds: [] };
    const texts = [];
    for (const model of [inMemory, loaded]) {
      const [ids] = await model.generateBatch([prompt], options);
      texts.push(model.tokenizer.decode(ids!));
      await model.dispose();
    }
    expect(prompt).toEqual([1, 11, 8, 15, 15, 18]);
    expect(texts[1]).toBe(texts[0]);
    expect(texts[0]).toHaveLength(10);
  });

  it("has compiled the model: no request waits for files", async () => {
    const copy = await mkdtemp(join(tmpdir(), "language-model-"));
    await cp(folder, copy, { recursive: true });
    const model = await loadLanguageModel(copy, { threads: 1 });
    await rm(copy, { recursive: true });
    const [ids] = await model.generateBatch([[1, 11, 8]], { maxNewTokens: 3, eosTokenIds: [] });
    expect(ids).toHaveLength(3);
    await model.dispose();
  });

  it("reports a folder that is not a checkpoint", async () => {
    await expect(loadLanguageModel(join(folder, "none"))).rejects.toMatchObject({
      code: "MODEL_FILE_UNREADABLE",
    });
  });
});

import { type LlamaConfig, llamaParameterShapes } from "@flacuna/model";
import { describe, expect, it } from "vitest";
import { adapterShapes, countTrainable, createAdapter } from "./adapter.ts";
import { FLACUNA_LORA } from "./config.ts";
import { TOY, TOY_LORA } from "./fixtures/toy-model.ts";

const SHAPES = llamaParameterShapes({ ...TOY, numHiddenLayers: 2 });

const targets = (targetModules: readonly string[] | string) =>
  Object.keys(adapterShapes(SHAPES, { ...TOY_LORA, targetModules }));

const llama = (hiddenSize: number, intermediateSize: number, numHiddenLayers: number): LlamaConfig => ({
  ...TOY,
  vocabSize: 32_000,
  hiddenSize,
  intermediateSize,
  numHiddenLayers,
  numAttentionHeads: hiddenSize / 128,
  numKeyValueHeads: hiddenSize / 128,
  headDim: 128,
});

describe("adapterShapes()", () => {
  it("gives A [rank, in] and B [out, rank] of every target", () => {
    expect(adapterShapes(llamaParameterShapes(TOY), TOY_LORA)).toEqual({
      "model.layers.0.self_attn.q_proj": { A: [2, 8], B: [8, 2] },
      "model.layers.0.self_attn.v_proj": { A: [2, 8], B: [4, 2] },
    });
  });

  it("takes a name for every module whose path ends in it, whole names only", () => {
    expect(targets(["down_proj"])).toEqual(["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"]);
    expect(targets(["self_attn.q_proj", "lm_head"])).toHaveLength(3);
    expect(() => targets(["proj"])).toThrowError();
  });

  it("takes a string for a pattern that the whole path matches", () => {
    expect(targets(String.raw`model\.layers\.1\..*\.(q|k)_proj`)).toEqual([
      "model.layers.1.self_attn.q_proj",
      "model.layers.1.self_attn.k_proj",
    ]);
    expect(() => targets("q_proj")).toThrowError();
  });

  it("takes no embeddings and no norms, which are no projections", () => {
    expect(targets(".*")).toHaveLength(2 * 7 + 1);
    expect(() => targets(["embed_tokens"])).toThrowError(
      expect.objectContaining({ code: "LORA_TARGET_UNMATCHED" }),
    );
  });

  it("names every target without a module, and what the model has", () => {
    expect(() => targets(["q_proj", "query_key_value", "c_attn"])).toThrowError(
      expect.objectContaining({
        code: "LORA_TARGET_UNMATCHED",
        message: expect.stringMatching(
          /no module matches query_key_value, c_attn; the model has q_proj, k_proj/,
        ),
      }),
    );
  });
});

describe("countTrainable()", () => {
  it.each([
    ["LLaMA-7B", llama(4096, 11_008, 32), 4_194_304],
    ["LLaMA-13B", llama(5120, 13_824, 40), 6_553_600],
  ])("is the known number for %s with Flacuna's adapter", (_, config, expected) => {
    expect(countTrainable(llamaParameterShapes(config), FLACUNA_LORA)).toBe(expected);
  });
});

describe("createAdapter()", () => {
  const create = (seed: number) => createAdapter(SHAPES, TOY_LORA, { seed });

  it("is the same for the same seed and another for another", () => {
    expect(create(1)).toEqual(create(1));
    expect(create(1)).not.toEqual(create(2));
  });

  it("draws each module's A on its own", () => {
    const drawn = Object.values(create(1).tensors).map(({ A }) => A.toNumbers().join());
    expect(new Set(drawn).size).toBe(4);
  });

  it("spreads A over ±1/√in and leaves B zero", () => {
    const wide = new Map([["q_proj.weight", [3, 100]]]);
    const { A, B } = createAdapter(wide, { ...TOY_LORA, rank: 20, targetModules: ["q_proj"] }, { seed: 1 })
      .tensors.q_proj!;
    const values = A.toNumbers();
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.1);
    expect([Math.min(...values), Math.max(...values)]).toEqual([
      expect.closeTo(-0.1, 2),
      expect.closeTo(0.1, 2),
    ]);
    expect(values.reduce((sum, value) => sum + value * value, 0) / values.length).toBeCloseTo(0.01 / 3, 3); // bound² / 3
    expect(B.toNumbers()).toEqual(new Array(60).fill(0));
  });
});

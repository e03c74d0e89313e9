// GGUF files, held to the `gguf` package's writer and dequantisation and to transformers' reading of a LLaMA.
import { readGguf, readGgufCheckpoint, readSafetensors } from "@flacuna/model";
import { describe, expect, it } from "vitest";
import { goldenPath, readGoldenJson } from "./golden-files.ts";

const TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"];

describe("readGguf()", () => {
  it("reads every type of metadata", async () => {
    const { version, metadata } = await readGguf(goldenPath("gguf-types.gguf"));
    expect(version).toBe(3);
    const golden = [...metadata].filter(([key]) => key.startsWith("golden."));
    expect(Object.fromEntries(golden.map(([key, value]) => [key.slice(7), value]))).toEqual({
      UINT8: 200,
      INT8: -100,
      UINT16: 60_000,
      INT16: -30_000,
      UINT32: 4_000_000_000,
      INT32: -2_000_000_000,
      FLOAT32: Math.fround(0.1),
      BOOL: true,
      STRING: "naïve ▁ 🙂",
      UINT64: 2n ** 53n + 2n,
      INT64: -(2 ** 40),
      FLOAT64: 0.1,
      strings: ["a", "", "ü"],
      integers: [3, -1, 2],
      nested: [
        [1, 2],
        [3, 4],
      ],
    });
  });

  it.each(TYPES)("dequantises %s bit for bit", async (type) => {
    const { tensors } = await readGguf(goldenPath("gguf-types.gguf"));
    const expected = await readSafetensors(goldenPath("gguf-types.values.safetensors"));
    expect(tensors.get(type)).toMatchObject({ type, shape: [3, 256] });
    expect(await tensors.get(type)!.read()).toEqual(await expected.read(type));
  });
});

describe("readGgufCheckpoint()", () => {
  it("reads the configuration that transformers reads", async () => {
    const { config } = await readGgufCheckpoint(goldenPath("gguf-llama.gguf"));
    const { config: expected } = await readGoldenJson<{ config: Record<string, unknown> }>("gguf.json");
    expect(config).toEqual({
      vocabSize: expected.vocab_size,
      hiddenSize: expected.hidden_size,
      intermediateSize: expected.intermediate_size,
      numHiddenLayers: expected.num_hidden_layers,
      numAttentionHeads: expected.num_attention_heads,
      numKeyValueHeads: expected.num_key_value_heads,
      headDim: expected.head_dim,
      maxPositionEmbeddings: expected.max_position_embeddings,
      // transformers keeps the float32 that the file holds for 1e-5.
      rmsNormEps: 1e-5,
      ropeTheta: expected.rope_theta,
      tieWordEmbeddings: expected.tie_word_embeddings,
    });
  });

  it("reads the parameters that transformers reads, queries and keys in its order of rows", async () => {
    const { weights, paths } = await readGgufCheckpoint(goldenPath("gguf-llama.gguf"));
    const expected = await readSafetensors(goldenPath("gguf-llama.values.safetensors"));
    expect([...paths].sort()).toEqual([...expected.tensors.keys()].sort());
    for (const path of paths) {
      expect(await weights.get(path)!.read(), path).toEqual(await expected.read(path));
    }
  });
});

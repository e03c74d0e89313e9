import { describe, expect, it } from "vitest";
import { formatLlamaConfig, llamaParameterShapes, parameterCount, parseLlamaConfig } from "./config.ts";
import { ModelError } from "./errors.ts";

/** `config.json` of Vicuna-13B v1.1, with the wrong special-token ids of its early conversion. */
const VICUNA_13B = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 5120,
  intermediate_size: 13824,
  num_hidden_layers: 40,
  num_attention_heads: 40,
  vocab_size: 32000,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  hidden_act: "silu",
  tie_word_embeddings: false,
  bos_token_id: 0,
  eos_token_id: 1,
  pad_token_id: -1,
  torch_dtype: "float16",
};

const SMOLLM2_135M = {
  model_type: "llama",
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  rope_scaling: null,
  tie_word_embeddings: true,
};

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof ModelError ? error.code : String(error);
  }
  return "no error";
}

describe("parseLlamaConfig()", () => {
  it("fills in what older files leave out", () => {
    const config = parseLlamaConfig(VICUNA_13B);
    expect(config).toMatchObject({ numKeyValueHeads: 40, headDim: 128, ropeTheta: 10_000, rmsNormEps: 1e-6 });
  });

  it("reads grouped queries, theta and tied embeddings", () => {
    const config = parseLlamaConfig(SMOLLM2_135M);
    expect(config).toMatchObject({
      numKeyValueHeads: 3,
      headDim: 64,
      ropeTheta: 100_000,
      tieWordEmbeddings: true,
    });
  });

  it("reads the rope_parameters of transformers 5", () => {
    const { rope_theta, rope_scaling, ...rest } = SMOLLM2_135M;
    expect(rope_scaling).toBeNull();
    const config = parseLlamaConfig({ ...rest, rope_parameters: { rope_type: "default", rope_theta } });
    expect(config).toEqual(parseLlamaConfig(SMOLLM2_135M));
  });

  it.each([
    ["hidden_size", "5120"],
    ["num_hidden_layers", 0],
    ["rms_norm_eps", null],
    ["num_key_value_heads", 7],
    ["head_dim", 127],
  ])("refuses %s = %j", (key, value) => {
    expect(codeOf(() => parseLlamaConfig({ ...VICUNA_13B, [key]: value }))).toBe("MODEL_CONFIG_INVALID");
  });

  it.each([
    ["attention_bias", true],
    ["mlp_bias", true],
    ["hidden_act", "gelu"],
    ["model_type", "mistral"],
    ["rope_scaling", { type: "dynamic", factor: 2 }],
    ["quantization_config", { quant_method: "gptq", bits: 4 }],
  ])("says that %s = %j is unsupported", (key, value) => {
    expect(codeOf(() => parseLlamaConfig({ ...VICUNA_13B, [key]: value }))).toBe("MODEL_UNSUPPORTED");
  });
});

describe("formatLlamaConfig()", () => {
  it("is read back to the same configuration", () => {
    const scaled = parseLlamaConfig({
      ...SMOLLM2_135M,
      rope_scaling: {
        rope_type: "llama3",
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    });
    for (const config of [parseLlamaConfig(VICUNA_13B), scaled]) {
      expect(parseLlamaConfig(JSON.parse(JSON.stringify(formatLlamaConfig(config, "float16"))))).toEqual(
        config,
      );
    }
  });
});

describe("parameterCount()", () => {
  it("is 13,015,864,320 for LLaMA-13B", () => {
    expect(parameterCount(parseLlamaConfig(VICUNA_13B))).toBe(13_015_864_320);
  });

  it("counts tied embeddings once", () => {
    expect(parameterCount(parseLlamaConfig(SMOLLM2_135M))).toBe(134_515_008);
  });
});

describe("llamaParameterShapes()", () => {
  it("names an output head only when it is not tied", () => {
    expect(llamaParameterShapes(parseLlamaConfig(VICUNA_13B)).get("lm_head.weight")).toEqual([32000, 5120]);
    expect(llamaParameterShapes(parseLlamaConfig(SMOLLM2_135M)).has("lm_head.weight")).toBe(false);
  });

  it("gives key and value projections the width of the grouped heads", () => {
    const shapes = llamaParameterShapes(parseLlamaConfig(SMOLLM2_135M));
    expect(shapes.get("model.layers.29.self_attn.k_proj.weight")).toEqual([192, 576]);
    expect(shapes.get("model.layers.0.self_attn.o_proj.weight")).toEqual([576, 576]);
  });
});

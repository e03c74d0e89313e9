// `LlamaConfig` and its reading from a checkpoint's `config.json`: the one place where snake_case becomes camelCase.
import { ModelError } from "./errors.ts";

/** Llama 3.1's stretching of the rotary frequencies. */
export interface Llama3RopeScaling {
  /** How much longer than the original the context became. */
  readonly factor: number;
  /** Wavelengths above `originalMaxPositionEmbeddings / lowFreqFactor` are divided by `factor`. */
  readonly lowFreqFactor: number;
  /** Wavelengths below `originalMaxPositionEmbeddings / highFreqFactor` are kept. */
  readonly highFreqFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

/** Shape and constants of a LLaMA-type decoder. */
export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Divides `numAttentionHeads`; equal to it without grouped queries. */
  readonly numKeyValueHeads: number;
  /** Even: rotary embeddings rotate pairs. */
  readonly headDim: number;
  /** The context length the model was trained for. */
  readonly maxPositionEmbeddings: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: Llama3RopeScaling;
  /** The output head is the embedding table. */
  readonly tieWordEmbeddings: boolean;
}

/**
 * The configuration in a parsed `config.json` of the `LlamaForCausalLM` family.
 *
 * Special-token ids are not read: early conversions carry wrong ones, and the tokenizer knows better.
 *
 * @throws ModelError `MODEL_CONFIG_INVALID` when a value is missing or makes no sense,
 * `MODEL_UNSUPPORTED` when the file asks for something this package does not do
 */
export function parseLlamaConfig(json: unknown): LlamaConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw invalid("the file", "a JSON object", json);
  }
  const source = json as Record<string, unknown>;
  refuseUnsupported(source);
  const hiddenSize = count(source, "hidden_size");
  const numAttentionHeads = count(source, "num_attention_heads");
  const numKeyValueHeads = count(source, "num_key_value_heads", numAttentionHeads);
  const headDim = count(source, "head_dim", hiddenSize / numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads !== 0) {
    throw invalid(
      "num_attention_heads",
      `a multiple of num_key_value_heads (${numKeyValueHeads})`,
      numAttentionHeads,
    );
  }
  if (headDim % 2 !== 0) throw invalid("head_dim", "an even number", headDim);
  const rope = ropeParameters(source);
  return {
    vocabSize: count(source, "vocab_size"),
    hiddenSize,
    intermediateSize: count(source, "intermediate_size"),
    numHiddenLayers: count(source, "num_hidden_layers"),
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    maxPositionEmbeddings: count(source, "max_position_embeddings", 2048),
    rmsNormEps: positive(source, "rms_norm_eps"),
    ...rope,
    tieWordEmbeddings: source.tie_word_embeddings === true,
  };
}

/** The `config.json` of `config` as transformers reads it; `torchDtype` names the dtype of the stored weights. */
export function formatLlamaConfig(config: LlamaConfig, torchDtype: string): Record<string, unknown> {
  const scaling = config.ropeScaling;
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    num_key_value_heads: config.numKeyValueHeads,
    head_dim: config.headDim,
    max_position_embeddings: config.maxPositionEmbeddings,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    rope_scaling: scaling
      ? {
          rope_type: "llama3",
          factor: scaling.factor,
          low_freq_factor: scaling.lowFreqFactor,
          high_freq_factor: scaling.highFreqFactor,
          original_max_position_embeddings: scaling.originalMaxPositionEmbeddings,
        }
      : null,
    tie_word_embeddings: config.tieWordEmbeddings,
    hidden_act: "silu",
    attention_bias: false,
    mlp_bias: false,
    torch_dtype: torchDtype,
  };
}

/**
 * Path and shape of every parameter of `config`, in execution order, by the checkpoint's own names. Projections are
 * `[out, in]`. Nothing is allocated.
 */
export function llamaParameterShapes(config: LlamaConfig): ReadonlyMap<string, readonly number[]> {
  const { vocabSize: V, hiddenSize: C, intermediateSize: F, headDim: D } = config;
  const q = config.numAttentionHeads * D;
  const kv = config.numKeyValueHeads * D;
  const shapes = new Map<string, readonly number[]>([["model.embed_tokens.weight", [V, C]]]);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const prefix = `model.layers.${layer}`;
    shapes.set(`${prefix}.input_layernorm.weight`, [C]);
    shapes.set(`${prefix}.self_attn.q_proj.weight`, [q, C]);
    shapes.set(`${prefix}.self_attn.k_proj.weight`, [kv, C]);
    shapes.set(`${prefix}.self_attn.v_proj.weight`, [kv, C]);
    shapes.set(`${prefix}.self_attn.o_proj.weight`, [C, q]);
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [C]);
    shapes.set(`${prefix}.mlp.gate_proj.weight`, [F, C]);
    shapes.set(`${prefix}.mlp.up_proj.weight`, [F, C]);
    shapes.set(`${prefix}.mlp.down_proj.weight`, [C, F]);
  }
  shapes.set("model.norm.weight", [C]);
  if (!config.tieWordEmbeddings) shapes.set("lm_head.weight", [V, C]);
  return shapes;
}

/** Number of parameters of `config`; tied embeddings count once. */
export function parameterCount(config: LlamaConfig): number {
  let total = 0;
  for (const shape of llamaParameterShapes(config).values()) total += shape.reduce((a, b) => a * b, 1);
  return total;
}

/** Values that this package's graphs assume; anything else in their place is refused. */
const ASSUMED: readonly (readonly [key: string, accepted: readonly unknown[]])[] = [
  ["model_type", ["llama"]],
  ["hidden_act", ["silu"]],
  ["attention_bias", [false]],
  ["mlp_bias", [false]],
];

function refuseUnsupported(source: Record<string, unknown>): void {
  if (source.quantization_config !== undefined && source.quantization_config !== null) {
    const { quant_method: method } = source.quantization_config as { readonly quant_method?: unknown };
    throw new ModelError(
      "MODEL_UNSUPPORTED",
      `config.json: weights quantised by ${quote(method)} are not read; use the checkpoint they were made from, or a GGUF`,
      { details: { key: "quantization_config", value: method } },
    );
  }
  for (const [key, accepted] of ASSUMED) {
    const value = source[key];
    if (value === undefined || value === null || accepted.includes(value)) continue;
    throw new ModelError(
      "MODEL_UNSUPPORTED",
      `config.json: ${key} is ${quote(value)}; only ${accepted.map(quote).join(", ")} is supported`,
      { details: { key, value } },
    );
  }
}

/** Reads `rope_theta` and `rope_scaling`, or the `rope_parameters` that transformers 5 writes in their place. */
function ropeParameters(source: Record<string, unknown>): Pick<LlamaConfig, "ropeTheta" | "ropeScaling"> {
  const parameters = (source.rope_parameters ?? source.rope_scaling ?? {}) as Record<string, unknown>;
  const ropeTheta = positive(
    { rope_theta: parameters.rope_theta ?? source.rope_theta },
    "rope_theta",
    10_000,
  );
  const type = parameters.rope_type ?? parameters.type ?? "default";
  if (type === "default") return { ropeTheta };
  if (type !== "llama3") {
    throw new ModelError(
      "MODEL_UNSUPPORTED",
      `config.json: rope_scaling of type ${quote(type)}; only "default" and "llama3" are supported`,
      { details: { key: "rope_scaling", value: type } },
    );
  }
  return {
    ropeTheta,
    ropeScaling: {
      factor: positive(parameters, "factor"),
      lowFreqFactor: positive(parameters, "low_freq_factor"),
      highFreqFactor: positive(parameters, "high_freq_factor"),
      originalMaxPositionEmbeddings: count(parameters, "original_max_position_embeddings"),
    },
  };
}

function count(source: Record<string, unknown>, key: string, fallback?: number): number {
  const value = source[key] ?? fallback;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
    throw invalid(key, "a positive integer", value);
  }
  return value;
}

function positive(source: Record<string, unknown>, key: string, fallback?: number): number {
  const value = source[key] ?? fallback;
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
    throw invalid(key, "a positive number", value);
  }
  return value;
}

function invalid(key: string, expected: string, value: unknown): ModelError {
  return new ModelError(
    "MODEL_CONFIG_INVALID",
    `config.json: ${key} must be ${expected}, got ${quote(value)}; is this a LLaMA checkpoint?`,
    { details: { key, value } },
  );
}

function quote(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 60);
}

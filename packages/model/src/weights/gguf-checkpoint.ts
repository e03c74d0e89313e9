// A GGUF file of a LLaMA as configuration and weights under the checkpoint's names, undoing what the conversion to GGUF
// does to them. Knows llama.cpp's names and conventions; the byte format is in gguf.ts.
import { type StoredBlocks, Tensor } from "@flacuna/tensor";
import { type LlamaConfig, llamaParameterShapes, parseLlamaConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import { checkAgreement } from "./agreement.ts";
import { type GgufFile, type GgufTensor, readGguf } from "./gguf.ts";
import { ropeScalingOf } from "./gguf-rope-factors.ts";
import { dequantize, type GgufType } from "./gguf-types.ts";

/** One parameter of a GGUF checkpoint; satisfies `@flacuna/tensor`'s `WeightSource`. */
export interface GgufWeight {
  /** As `read` gives it, not as stored. */
  readonly dtype: "float32";
  readonly shape: readonly number[];
  /** As stored. */
  readonly type: GgufType;
  /** Where the stored blocks lie, rows of queries and keys in the order of the file. */
  readonly file: { readonly path: string; readonly offset: number; readonly length: number };
  /** The parameter, read and dequantised now. */
  read(): Promise<Tensor<"float32">>;
  /** The stored blocks, row after row of `shape`, in the order of `read`'s rows. */
  readRaw(): Promise<Uint8Array<ArrayBuffer>>;
  /** `readRaw` of a type that the "int4" precision of `@flacuna/tensor` computes with as it is. */
  readonly blocks?: StoredBlocks;
}

/** A LLaMA in a GGUF file whose parameters are known to be complete and of the right shapes. */
export interface GgufCheckpoint {
  readonly config: LlamaConfig;
  readonly weights: { get(path: string): GgufWeight | undefined };
  /** Names of the parameters, in execution order. */
  readonly paths: readonly string[];
  /** The file itself, for what else it holds. */
  readonly file: GgufFile;
}

/**
 * Opens the GGUF file at `path` as a checkpoint of the LLaMA family and checks every name and shape. Reads the header
 * only. Queries and keys come in the checkpoint's own order of rows, which conversion to GGUF changes.
 *
 * @throws ModelError as `readGguf` does; `MODEL_UNSUPPORTED` for another architecture; `MODEL_CONFIG_INVALID` when
 * metadata are missing; `MODEL_CHECKPOINT_MISMATCH` with all that is wrong in `details`
 */
export async function readGgufCheckpoint(path: string): Promise<GgufCheckpoint> {
  const file = await readGguf(path);
  const config = await withRopeFactors(ggufLlamaConfig(file), file);
  const shapes = llamaParameterShapes(config);
  const named = [...file.tensors].map(([name, tensor]) => [parameterName(name), tensor] as const);
  const found = new Map(named.filter(([name]) => name !== ROPE_FACTORS));
  checkAgreement(path, config, found);
  const weights = new Map(
    [...shapes.keys()].map((name) => [
      name,
      ggufWeight(path, found.get(name)!, rotatedHeads(name, config), config),
    ]),
  );
  return { config, paths: [...shapes.keys()], weights: { get: (name) => weights.get(name) }, file };
}

/**
 * The configuration in the metadata of a GGUF file.
 *
 * @throws ModelError `MODEL_CONFIG_INVALID`, `MODEL_UNSUPPORTED`
 */
function ggufLlamaConfig({ metadata, tensors, path }: GgufFile): LlamaConfig {
  const refuse = (what: string) => unsupported(path, what);
  const architecture = metadata.get("general.architecture");
  if (architecture !== "llama") {
    throw refuse(`architecture "${String(architecture).slice(0, 60)}"; only "llama" is supported`);
  }
  const get = (key: string) => metadata.get(`llama.${key}`);
  const need = (key: string): number => {
    const value = get(key);
    if (typeof value === "number" && value > 0) return value;
    throw new ModelError(
      "MODEL_CONFIG_INVALID",
      `${path}: metadata llama.${key} must be a positive number, got ${String(value).slice(0, 60)}`,
      { details: { path, key: `llama.${key}` } },
    );
  };
  const hiddenSize = need("embedding_length");
  const numAttentionHeads = need("attention.head_count");
  const headDim = get("attention.key_length") ?? hiddenSize / numAttentionHeads;
  for (const key of ["attention.value_length", "rope.dimension_count"]) {
    if ((get(key) ?? headDim) !== headDim) throw refuse(`llama.${key} differs from the head size ${headDim}`);
  }
  if (Number(get("expert_count") ?? 0) > 0) throw refuse("it is a mixture of experts");
  if (Number(metadata.get("split.count") ?? 1) > 1) {
    throw refuse("it is one of several parts; join them with llama-gguf-split --merge");
  }
  const scaling = get("rope.scaling.type") ?? "none";
  if (scaling !== "none") throw refuse(`rotary scaling of type "${String(scaling).slice(0, 60)}"`);
  return parseLlamaConfig({
    vocab_size: tensors.get("token_embd.weight")?.shape[0] ?? get("vocab_size"),
    hidden_size: hiddenSize,
    intermediate_size: need("feed_forward_length"),
    num_hidden_layers: need("block_count"),
    num_attention_heads: numAttentionHeads,
    num_key_value_heads: get("attention.head_count_kv"),
    head_dim: headDim,
    max_position_embeddings: need("context_length"),
    rms_norm_eps: shortest(need("attention.layer_norm_rms_epsilon")),
    rope_theta: shortest(Number(get("rope.freq_base") ?? 10_000)),
    tie_word_embeddings: !tensors.has("output.weight"),
  });
}

/** The tensor of factors that divide the rotary frequencies, [D/2]. */
const ROPE_FACTORS = "rope_freqs.weight";

/** `config` with the scaling that the rotary factors in the file stand for, where it has any. */
async function withRopeFactors(config: LlamaConfig, { tensors, path }: GgufFile): Promise<LlamaConfig> {
  const factors = await tensors.get(ROPE_FACTORS)?.read();
  if (factors === undefined) return config;
  const { headDim, ropeTheta } = config;
  const ropeScaling = ropeScalingOf(factors.data, { headDim, theta: ropeTheta });
  if (ropeScaling !== undefined) return { ...config, ropeScaling };
  throw unsupported(path, "its rotary frequencies are not scaled as those of Llama 3.1");
}

function unsupported(path: string, what: string): ModelError {
  return new ModelError("MODEL_UNSUPPORTED", `${path}: ${what}`, { details: { path } });
}

/** The shortest decimal that is the same float32: what the model's authors wrote, 1e-5 rather than 9.99999974e-6. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

const TOP_NAMES: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

const BLOCK_NAMES: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** The checkpoint's name of a GGUF tensor; an unknown one is left as it is. */
function parameterName(name: string): string {
  const [, layer, block, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (block === undefined) return TOP_NAMES[name] ?? name;
  const module = BLOCK_NAMES[block];
  return module === undefined ? name : `model.layers.${layer}.${module}.${kind}`;
}

/** The number of heads in the rows of a projection that the rotary embedding applies to, else undefined. */
function rotatedHeads(name: string, config: LlamaConfig): number | undefined {
  if (name.endsWith(".q_proj.weight")) return config.numAttentionHeads;
  if (name.endsWith(".k_proj.weight")) return config.numKeyValueHeads;
  return undefined;
}

/** Types whose blocks are computed with as they are. */
const COMPUTED_AS_STORED: Partial<Record<GgufType, StoredBlocks["format"]>> = { Q4_0: "q4_0", Q4_1: "q4_1" };

function ggufWeight(
  path: string,
  tensor: GgufTensor,
  heads: number | undefined,
  { headDim }: LlamaConfig,
): GgufWeight {
  const { shape, type, offset, length } = tensor;
  const readRaw = async () => {
    const bytes = await tensor.readRaw();
    return heads === undefined ? bytes : toHalfSplitRows(bytes, { heads, headDim });
  };
  const read = async () => new Tensor("float32", shape, dequantize(type, await readRaw()));
  const format = COMPUTED_AS_STORED[type];
  return {
    dtype: "float32",
    shape,
    type,
    file: { path, offset, length },
    read,
    readRaw,
    ...(format && { blocks: { format, read: readRaw } }),
  };
}

/**
 * Rows in the order of Hugging Face's rotary embedding, which pairs dimension i of a head with i + D/2, from GGUF's,
 * which pairs neighbours.
 *
 * @param bytes heads · headDim rows of equal length
 */
function toHalfSplitRows(
  bytes: Uint8Array<ArrayBuffer>,
  { heads, headDim: D }: { readonly heads: number; readonly headDim: number },
): Uint8Array<ArrayBuffer> {
  const width = bytes.length / (heads * D);
  const out = new Uint8Array(bytes.length);
  for (let row = 0; row < heads * D; row++) {
    const i = row % D;
    const from = row - i + (i < D / 2 ? 2 * i : 2 * (i - D / 2) + 1);
    out.set(bytes.subarray(from * width, (from + 1) * width), row * width);
  }
  return out;
}

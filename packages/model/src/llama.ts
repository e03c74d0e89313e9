// The LLaMA architecture in execution order, with the checkpoint's own parameter names; over whole sequences, or over new
// tokens whose earlier ones are in pages. No files, no sampling.
import {
  add,
  type CausalAttentionInputs,
  causalAttention,
  checkpoint,
  gather,
  pagedAttention,
  rmsNorm,
  type Tracer,
} from "@flacuna/tensor";
import type { LlamaConfig } from "./config.ts";
import { feedForward } from "./layers/feed-forward.ts";
import { type Linear, linear as plainLinear } from "./layers/linear.ts";
import { type Rotary, rotaryAngles } from "./layers/rotary.ts";

/** Looks up a parameter by its name in the checkpoint. */
export type Parameters = (path: string) => Tracer;

/** What can be changed about a model's graph. */
export interface LlamaOptions {
  /** Replaces every projection, the output head too; the place for adapters. Default x · Wᵀ. */
  readonly linear?: Linear;
  /** Keeps for a gradient only what enters each layer and computes the rest again; see `checkpoint`. Default false. */
  readonly checkpointLayers?: boolean;
  /** Multiplies what `down_proj` reads by blocks of a Hadamard matrix, as rotated weights expect. Default false. */
  readonly hadamard?: boolean;
}

/** Rows of one sequence or of several packed ones. */
export interface LlamaInputs {
  /** [B, T] int64 */
  readonly inputIds: Tracer;
  /** [B, T] int32: where in its row each token's sequence begins; every row one sequence by default */
  readonly starts?: Tracer | undefined;
}

/**
 * Hidden states of whole sequences, after the final norm.
 *
 * Attention is causal, so padding on the right changes nothing before it, and a packed sequence gets what it would
 * get alone.
 *
 * @param params parameters of the shapes of `llamaParameterShapes`
 * @returns [B, T, C]
 */
export function llamaHidden(
  config: LlamaConfig,
  params: Parameters,
  inputs: LlamaInputs,
  options: LlamaOptions = {},
): Tracer {
  const { inputIds, starts } = inputs;
  const rotary = rotaryAngles(inputIds.shape[1]!, rotaryOptions(config));
  const attention = { headSize: config.headDim, ...rotary, ...(starts && { starts }) };
  return decoder(config, params, inputIds, options, (_, projected) => causalAttention(projected, attention));
}

/** `llamaHidden` through the output head: [B, T, V]. */
export function llamaLogits(
  config: LlamaConfig,
  params: Parameters,
  inputs: LlamaInputs,
  options: LlamaOptions = {},
): Tracer {
  return llamaHead(config, params, llamaHidden(config, params, inputs, options), options);
}

/**
 * The output head: logits of hidden states. Gather the rows that matter before it, for it is large.
 *
 * @param hidden [..., C]
 * @returns [..., V]
 */
export function llamaHead(
  config: LlamaConfig,
  params: Parameters,
  hidden: Tracer,
  { linear = plainLinear }: LlamaOptions = {},
): Tracer {
  // The projection keeps its name when its weight is the embeddings': an adapter of the head is not one of the table.
  const path = config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return linear("lm_head.weight", hidden, params(path));
}

/** Keys and values of one layer in G pages of P positions, which sequences share out. */
export interface LayerPool<T> {
  /** [G, K, D, P] */
  readonly keys: T;
  /** [G, K, P, D] */
  readonly values: T;
}

/** New tokens of several sequences, one after another without padding, whose earlier tokens are in pages. */
export interface PagedInputs {
  /** [N] int64; those of one sequence side by side and in order */
  readonly tokens: Tracer;
  /** [N] int32: where each token is in its sequence */
  readonly positions: Tracer;
  /** [N] int32: the row of `pages` that is each token's sequence */
  readonly sequence: Tracer;
  /** [S, E] int32: the pages of each sequence in order; what is past its length is not read */
  readonly pages: Tracer;
  /** [L, D/2] each, L more than the largest position */
  readonly rotary: Rotary<Tracer>;
  /** per layer */
  readonly pool: readonly LayerPool<Tracer>[];
}

/**
 * Hidden states of new tokens, after the final norm, and the pool with their keys and values.
 *
 * @returns `hidden` [N, C]
 */
export function llamaPagedHidden(
  config: LlamaConfig,
  params: Parameters,
  { tokens, rotary, pool: before, ...places }: PagedInputs,
  options: LlamaOptions = {},
): { readonly hidden: Tracer; readonly pool: readonly LayerPool<Tracer>[] } {
  const heads = { heads: config.numAttentionHeads, keyValueHeads: config.numKeyValueHeads };
  const pool: LayerPool<Tracer>[] = [];
  const hidden = decoder(config, params, tokens, options, (layer, projected) => {
    const past = { ...before[layer]!, ...rotary, ...places };
    const { mixed, ...written } = pagedAttention(projected, past, heads);
    pool.push(written);
    return mixed;
  });
  return { hidden, pool };
}

/** The frequencies of `config`'s rotary embedding. */
export const rotaryOptions = (config: LlamaConfig) => ({
  headDim: config.headDim,
  theta: config.ropeTheta,
  scaling: config.ropeScaling,
});

/** What a layer does with its projections: [..., H·D] and twice [..., K·D] to [..., H·D]. */
type Attend = (layer: number, projected: CausalAttentionInputs) => Tracer;

function decoder(
  config: LlamaConfig,
  params: Parameters,
  inputIds: Tracer,
  { linear = plainLinear, checkpointLayers = false, hadamard = false }: LlamaOptions,
  attend: Attend,
): Tracer {
  const eps = config.rmsNormEps;
  const project = (path: string) => (x: Tracer) => linear(path, x, params(path));
  const block = (layer: number, x: Tracer): Tracer => {
    const at = (name: string) => `model.layers.${layer}.${name}.weight`;
    const normed = rmsNorm(x, params(at("input_layernorm")), eps);
    const mixed = attend(layer, {
      query: project(at("self_attn.q_proj"))(normed),
      key: project(at("self_attn.k_proj"))(normed),
      value: project(at("self_attn.v_proj"))(normed),
    });
    const attended = add(x, project(at("self_attn.o_proj"))(mixed));
    const fed = feedForward(rmsNorm(attended, params(at("post_attention_layernorm")), eps), {
      gate: project(at("mlp.gate_proj")),
      up: project(at("mlp.up_proj")),
      down: project(at("mlp.down_proj")),
      hadamard,
    });
    return add(attended, fed);
  };
  const run = checkpointLayers ? checkpoint(block) : block;
  let x = gather(params("model.embed_tokens.weight"), inputIds); // [..., C]
  for (let layer = 0; layer < config.numHiddenLayers; layer++) x = run(layer, x);
  return rmsNorm(x, params("model.norm.weight"), eps);
}

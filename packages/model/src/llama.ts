// The LLaMA architecture in execution order, with the checkpoint's own parameter names; over whole sequences, or over new
// tokens and a cache. No files, no sampling.
import {
  add,
  type CausalAttentionInputs,
  cachedAttention,
  causalAttention,
  checkpoint,
  concat,
  type Dim,
  gather,
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

/** Keys and values of one layer, [B, K, S, D] each. */
export interface LayerCache<T> {
  readonly key: T;
  readonly value: T;
}

/** New tokens for sequences whose earlier ones are in a cache. */
export interface CachedInputs {
  /** [B, T] int64; padded on the right only when the cache is empty, T is 1 or B is 1 otherwise */
  readonly inputIds: Tracer;
  /** [B] int32: position of each sequence's last token */
  readonly lastPosition: Tracer;
  /** [] int32: the largest last position, plus one */
  readonly totalLength: Tracer;
  /** [P, D/2] each, P at least S */
  readonly rotary: Rotary<Tracer>;
  /** per layer */
  readonly cache: readonly LayerCache<Tracer>[];
}

/**
 * Hidden states of new tokens, after the final norm, and the cache with their keys and values.
 *
 * @returns `hidden` [B, T, C], unspecified where the input is padding
 */
export function llamaCachedHidden(
  config: LlamaConfig,
  params: Parameters,
  inputs: CachedInputs,
  options: LlamaOptions = {},
): { readonly hidden: Tracer; readonly cache: readonly LayerCache<Tracer>[] } {
  const { inputIds, lastPosition, totalLength, rotary } = inputs;
  const heads = { heads: config.numAttentionHeads, keyValueHeads: config.numKeyValueHeads };
  const cache: LayerCache<Tracer>[] = [];
  const hidden = decoder(config, params, inputIds, options, (layer, { query, key, value }) => {
    const past = { ...inputs.cache[layer]!, ...rotary, lastPosition, totalLength };
    const { mixed, ...present } = cachedAttention(concat([query, key, value], -1), past, heads);
    cache.push(present);
    return mixed;
  });
  return { hidden, cache };
}

/** dtype and shape of one layer's cache, keys or values. */
export const cacheShape = (config: LlamaConfig, batch: Dim, capacity: Dim): readonly Dim[] => [
  batch,
  config.numKeyValueHeads,
  capacity,
  config.headDim,
];

/** The frequencies of `config`'s rotary embedding. */
export const rotaryOptions = (config: LlamaConfig) => ({
  headDim: config.headDim,
  theta: config.ropeTheta,
  scaling: config.ropeScaling,
});

/** What a layer does with its projections: [B, T, H·D] and twice [B, T, K·D] to [B, T, H·D]. */
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
  let x = gather(params("model.embed_tokens.weight"), inputIds); // [B, T, C]
  for (let layer = 0; layer < config.numHiddenLayers; layer++) x = run(layer, x);
  return rmsNorm(x, params("model.norm.weight"), eps);
}

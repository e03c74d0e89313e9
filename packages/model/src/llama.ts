// The LLaMA architecture in execution order, with the checkpoint's own parameter names; over whole sequences, or over new
// tokens whose earlier ones are in pages. No files, no sampling.
import {
  add,
  type CausalAttentionInputs,
  causalAttention,
  checkpoint,
  gather,
  mulDims,
  type Pages,
  pagedAttention,
  reshape,
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
  /** Takes the place of `linear` for the rows of `reads` alone. Default `linear`. */
  readonly linearOfReads?: Linear;
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
  /** [R] int64: row-major positions whose hidden states are wanted; all by default */
  readonly reads?: Tracer | undefined;
}

/**
 * Hidden states of whole sequences, after the final norm. Where only some are wanted, the last layer computes no others
 * after its attention.
 *
 * Attention is causal, so padding on the right changes nothing before it, and a packed sequence gets what it would
 * get alone.
 *
 * @param params parameters of the shapes of `llamaParameterShapes`
 * @returns [B, T, C], or [R, C] of `reads`
 */
export function llamaHidden(
  config: LlamaConfig,
  params: Parameters,
  inputs: LlamaInputs,
  options: LlamaOptions = {},
): Tracer {
  const { inputIds, starts, reads } = inputs;
  const rotary = rotaryAngles(inputIds.shape[1]!, rotaryOptions(config));
  const attention = { headSize: config.headDim, ...rotary, ...(starts && { starts }) };
  return decoder(config, params, { tokens: inputIds, reads }, options, (_, projected) =>
    causalAttention(projected, attention),
  );
}

/** `llamaHidden` through the output head: [B, T, V], or [R, V] of `reads`. */
export function llamaLogits(
  config: LlamaConfig,
  params: Parameters,
  inputs: LlamaInputs,
  options: LlamaOptions = {},
): Tracer {
  return llamaHead(config, params, llamaHidden(config, params, inputs, options), options);
}

/**
 * The output head: logits of hidden states. It is large: give it only rows that matter.
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
  /** [R] int64: the indices among the N tokens whose hidden states are wanted; all by default */
  readonly reads?: Tracer | undefined;
  /** [L, D/2] each, L more than the largest position */
  readonly rotary: Rotary<Tracer>;
  /** per layer, in G pages that sequences share out */
  readonly pool: readonly Pages<Tracer>[];
}

/**
 * Hidden states of new tokens, after the final norm, and the pool with their keys and values.
 *
 * @returns `hidden` [N, C], or [R, C] of `reads`
 */
export function llamaPagedHidden(
  config: LlamaConfig,
  params: Parameters,
  { tokens, reads, rotary, pool: before, ...places }: PagedInputs,
  options: LlamaOptions = {},
): { readonly hidden: Tracer; readonly pool: readonly Pages<Tracer>[] } {
  const heads = { heads: config.numAttentionHeads, keyValueHeads: config.numKeyValueHeads };
  const pool: Pages<Tracer>[] = [];
  const hidden = decoder(config, params, { tokens, reads }, options, (layer, projected) => {
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
  { tokens, reads }: { readonly tokens: Tracer; readonly reads: Tracer | undefined },
  options: LlamaOptions,
  attend: Attend,
): Tracer {
  const {
    linear = plainLinear,
    linearOfReads = linear,
    checkpointLayers = false,
    hadamard = false,
  } = options;
  const eps = config.rmsNormEps;
  const last = config.numHiddenLayers - 1;
  const block = (layer: number, x: Tracer): Tracer => {
    const at = (name: string) => `model.layers.${layer}.${name}.weight`;
    const projectBy = (linear: Linear) => (name: string) => (x: Tracer) =>
      linear(at(name), x, params(at(name)));
    const normed = rmsNorm(x, params(at("input_layernorm")), eps);
    const before = projectBy(linear);
    const mixed = attend(layer, {
      query: before("self_attn.q_proj")(normed),
      key: before("self_attn.k_proj")(normed),
      value: before("self_attn.v_proj")(normed),
    });
    // Nobody attends to what the last layer gives: from here on only rows that are read matter.
    const isLast = reads !== undefined && layer === last;
    const after = projectBy(isLast ? linearOfReads : linear);
    const kept = (rows: Tracer) => (isLast ? gatherRows(rows, reads) : rows);
    const attended = add(kept(x), after("self_attn.o_proj")(kept(mixed)));
    const fed = feedForward(rmsNorm(attended, params(at("post_attention_layernorm")), eps), {
      gate: after("mlp.gate_proj"),
      up: after("mlp.up_proj"),
      down: after("mlp.down_proj"),
      hadamard,
    });
    return add(attended, fed);
  };
  const run = checkpointLayers ? checkpoint(block) : block;
  let x = gather(params("model.embed_tokens.weight"), tokens); // [..., C]
  for (let layer = 0; layer <= last; layer++) x = run(layer, x);
  return rmsNorm(x, params("model.norm.weight"), eps);
}

/** Rows [R, C] of x [B, T, C] or [N, C], by their row-major places. */
function gatherRows(x: Tracer, places: Tracer): Tracer {
  if (x.shape.length === 2) return gather(x, places);
  const [B, T, C] = x.shape;
  return gather(reshape(x, [mulDims(B!, T!), C!]), places);
}

// The programs that decoding runs: logits of the next token, and log-probabilities of given tokens, over a cache.
import {
  argmax,
  broadcastTo,
  cast,
  type Dim,
  dim,
  dimValue,
  equal,
  type FloatDType,
  gather,
  logSoftmax,
  minimum,
  mulDims,
  type Program,
  reshape,
  spec,
  sub,
  type Tracer,
  takeAlong,
  trace,
  weight,
} from "@flacuna/tensor";
import { type LlamaConfig, llamaParameterShapes } from "../config.ts";
import {
  type CachedInputs,
  cacheShape,
  type LlamaOptions,
  llamaCachedHidden,
  llamaHead,
  type Parameters,
} from "../llama.ts";

/** How a decoding program is built. */
export interface ProgramOptions extends LlamaOptions {
  /** What is computed in; logits are float32 always. */
  readonly dtype: FloatDType;
}

/**
 * The program of one decoding step, a prompt's or a token's.
 *
 * Arguments: the tree of `CachedInputs`. Results: `logits` [B, V] float32 after each sequence's last token, and `cache`.
 */
export function nextTokenProgram(config: LlamaConfig, options: ProgramOptions): Program {
  const params = parametersOf(config, options.dtype);
  return trace(
    (inputs) => {
      const { hidden, cache } = llamaCachedHidden(config, params, castRotary(inputs, options.dtype), options);
      const logits = llamaHead(config, params, lastRows(hidden, inputs.lastPosition), options);
      return { logits: cast(logits, "float32"), cache };
    },
    [inputSpecs(config, options.dtype)],
  );
}

/**
 * The program that scores given tokens. The output head is applied to the rows asked for only.
 *
 * Arguments: the tree of `CachedInputs`; then `rows` [N] int64, indices into [B·T], and `targets` [N] int64, the token
 * after each. Results: `logProbs` [N] float32, nats; `isGreedy` [N] bool, whether the target is the most likely token;
 * and `cache`.
 */
export function scoringProgram(config: LlamaConfig, options: ProgramOptions): Program {
  const params = parametersOf(config, options.dtype);
  const N = dim("N");
  return trace(
    (inputs, { rows, targets }) => {
      const { hidden, cache } = llamaCachedHidden(config, params, castRotary(inputs, options.dtype), options);
      const [B, T, C] = hidden.shape as [Dim, Dim, number];
      const chosen = gather(reshape(hidden, [mulDims(B, T), C]), rows); // [N, C]
      const logits = cast(llamaHead(config, params, chosen, options), "float32");
      const logProbs = takeAlong(logSoftmax(logits), reshape(targets, [N, 1]), 1);
      const isGreedy = equal(argmax(logits, { axis: -1 }), targets);
      return { logProbs: reshape(logProbs, [N]), isGreedy, cache };
    },
    [inputSpecs(config, options.dtype), { rows: spec("int64", [N]), targets: spec("int64", [N]) }],
  );
}

function parametersOf(config: LlamaConfig, dtype: FloatDType): Parameters {
  const shapes = llamaParameterShapes(config);
  return (path) => weight(path, { dtype, shape: shapes.get(path)! });
}

function inputSpecs(config: LlamaConfig, dtype: FloatDType) {
  const [B, T] = [dim("B"), dim("T")];
  const table = spec("float32", [dim("P"), config.headDim / 2]);
  const cache = spec(dtype, cacheShape(config, B, dim("S")));
  return {
    inputIds: spec("int64", [B, T]),
    lastPosition: spec("int32", [B]),
    totalLength: spec("int32", []),
    rotary: { cos: table, sin: table },
    cache: Array.from({ length: config.numHiddenLayers }, () => ({ key: cache, value: cache })),
  };
}

function castRotary(inputs: CachedInputs, dtype: FloatDType): CachedInputs {
  const { cos, sin } = inputs.rotary;
  return { ...inputs, rotary: { cos: cast(cos, dtype), sin: cast(sin, dtype) } };
}

/** [B, T, C] → [B, C]: each sequence's last token, which is at its position in a prompt and alone afterwards. */
function lastRows(hidden: Tracer, lastPosition: Tracer): Tracer {
  const [B, T, C] = hidden.shape as [Dim, Dim, number];
  const row = minimum(cast(lastPosition, "int64"), sub(dimValue(T, "int64"), 1));
  const index = broadcastTo(reshape(row, [B, 1, 1]), [B, 1, C]);
  return reshape(takeAlong(hidden, index, 1), [B, C]);
}

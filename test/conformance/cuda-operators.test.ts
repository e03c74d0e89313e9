// Every operator that programs become has a kernel on CUDA, so nothing of a hot path falls back to the host.
import { adapterLoss, createAdapter, FLACUNA_LORA, type LossOptions, SUPERVISED_BATCH } from "@flacuna/lora";
import { type LlamaConfig, llamaParameterShapes, parseLlamaConfig } from "@flacuna/model";
import * as ops from "@flacuna/tensor";
import { dim, type Program, spec, type Tracer, trace, weight } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { withGradient } from "./agreement.ts";
import { OPERATIONS } from "./cases.ts";
import { findGaps, OUTSIDE_OPSET } from "./cuda-kernels.ts";

/** What has no kernel and is accepted, with the reason. */
const ACCEPTED: Readonly<Record<string, string>> = {
  "GroupQueryAttention T=float":
    "language models decode in float16 on CUDA; float32 would compute it on the host",
  "GroupQueryAttention T_CACHE=float": "the same",
};

const unaccepted = (program: Program): string[] => findGaps(program).filter((gap) => !(gap in ACCEPTED));

const config: LlamaConfig = parseLlamaConfig({
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 50,
  rms_norm_eps: 1e-5,
});

/** Loss, gradient, clipping and guarded AdamW of an adapter, as one program. */
function trainingStep(options: LossOptions = {}): Program {
  const shapes = llamaParameterShapes(config);
  const { tensors } = createAdapter(shapes, FLACUNA_LORA, { seed: 1 });
  const adapter = ops.mapTree(tensors, ops.isTensor, ({ dtype, shape }) => spec(dtype, shape));
  const optimizer = ops.adamW({ weightDecay: 0.01 });
  const loss = adapterLoss(config, FLACUNA_LORA, true, options) as unknown as (
    at: unknown,
    data: unknown,
    seed: Tracer,
  ) => Tracer;
  const scalars = { seed: spec("int64", []), rate: spec("float32", []) };
  return trace(
    (at, batch, state, { seed, rate }) => {
      const { value, gradient } = ops.valueAndGrad((each: unknown) => loss(each, batch, seed))(at);
      const norm = ops.globalNorm(gradient);
      const clipped = ops.clipByNorm(gradient, norm, 1);
      return {
        value,
        norm,
        isGood: ops.isFinite(norm),
        ...optimizer.update(clipped, state as never, at, rate),
      };
    },
    [adapter, SUPERVISED_BATCH, { step: spec("float64", []), mean: adapter, variance: adapter }, scalars],
  );
}

/** One layer of decoding between embedding and logits, over a cache. */
function decodingStep(dtype: "float16" | "float32"): Program {
  const shapes = llamaParameterShapes(config);
  const [B, T, S] = [dim("B"), dim("T"), dim("S")];
  const {
    headDim,
    hiddenSize,
    numAttentionHeads: heads,
    numKeyValueHeads: keyValueHeads,
    rmsNormEps,
  } = config;
  const parameter = (path: string) => weight(path, { dtype, shape: shapes.get(path)! });
  const layer = (name: string) => parameter(`model.layers.0.${name}.weight`);
  const linear = (x: Tracer, w: Tracer) => ops.matmul(x, w, { transposeB: true });
  const cacheSpec = spec(dtype, [B, keyValueHeads, S, headDim]);
  const table = spec("float32", [dim("P"), headDim / 2]);
  return trace(
    ({ ids, key, value, lastPosition, totalLength, cos, sin }) => {
      const x = ops.gather(parameter("model.embed_tokens.weight"), ids);
      const normed = ops.rmsNorm(x, layer("input_layernorm"), rmsNormEps);
      const qkv = ops.concat(
        ["q", "k", "v"].map((name) => linear(normed, layer(`self_attn.${name}_proj`))),
        -1,
      );
      const rotary = { cos: ops.cast(cos, dtype), sin: ops.cast(sin, dtype) };
      const past = { key, value, lastPosition, totalLength, ...rotary };
      const { mixed, ...cache } = ops.cachedAttention(qkv, past, { heads, keyValueHeads });
      const attended = ops.add(x, linear(mixed, layer("self_attn.o_proj")));
      const fed = ops.rmsNorm(attended, layer("post_attention_layernorm"), rmsNormEps);
      const activated = ops.swiglu(linear(fed, layer("mlp.gate_proj")), linear(fed, layer("mlp.up_proj")));
      const hidden = ops.add(attended, linear(activated, layer("mlp.down_proj")));
      const row = ops.minimum(ops.cast(lastPosition, "int64"), ops.sub(ops.dimValue(T, "int64"), 1));
      const index = ops.broadcastTo(ops.reshape(row, [B, 1, 1]), [B, 1, hiddenSize]);
      const last = ops.reshape(ops.takeAlong(hidden, index, 1), [B, hiddenSize]);
      const logits = ops.cast(linear(last, parameter("lm_head.weight")), "float32");
      return { logits, logProbs: ops.logSoftmax(logits), best: ops.argmax(logits, { axis: -1 }), cache };
    },
    [
      {
        ids: spec("int64", [B, T]),
        key: cacheSpec,
        value: cacheSpec,
        lastPosition: spec("int32", [B]),
        totalLength: spec("int32", []),
        cos: table,
        sin: table,
      },
    ],
  );
}

describe("the table of CUDA kernels", () => {
  it("holds the opsets that programs are written in", () => expect(OUTSIDE_OPSET).toEqual([]));
});

describe("CUDA has a kernel for every operator of", () => {
  it.each(OPERATIONS)("$name and its gradient in float32", (operation) => {
    expect(unaccepted(withGradient(operation, "float32"))).toEqual([]);
  });

  it.each(OPERATIONS)("$name and its gradient in float16", (operation) => {
    expect(findGaps(withGradient(operation, "float16"))).toEqual([]);
  });

  it("a training step with adapters and dropout in float32", () => {
    expect(findGaps(trainingStep())).toEqual([]);
  });

  it.each(["float16", "bfloat16"] as const)(
    "a training step that recomputes its layers, with frozen weights in %s",
    (dtype) => {
      const program = ops.toHalf(trainingStep({ recompute: true }), dtype);
      expect(findGaps(program)).toEqual([]);
    },
  );

  it("a decoding step in float16", () => expect(findGaps(decodingStep("float16"))).toEqual([]));
});

describe("findGaps()", () => {
  it("finds what CUDA lacks: attention over a float32 cache, the largest of integers", () => {
    expect(findGaps(decodingStep("float32")).toSorted()).toEqual(Object.keys(ACCEPTED).toSorted());
    expect(findGaps(trace((x) => ops.argmax(x, { axis: 0 }), [spec("int64", [3])]))).toEqual([
      "ArgMax T=int64",
    ]);
  });
});

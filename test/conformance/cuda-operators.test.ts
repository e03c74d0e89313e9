// Every operator that programs become has a kernel on CUDA, so nothing of a hot path falls back to the host.
import { adapterLoss, createAdapter, FLACUNA_LORA, type LossOptions, SUPERVISED_BATCH } from "@flacuna/lora";
import { type LlamaConfig, llamaParameterShapes, parseLlamaConfig } from "@flacuna/model";
import * as ops from "@flacuna/tensor";
import { type Dim, dim, type Program, spec, type Tracer, trace, weight } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { withGradient } from "./agreement.ts";
import { OPERATIONS } from "./cases.ts";
import { findGaps, OUTSIDE_OPSET } from "./cuda-kernels.ts";

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

/** One layer of a step between embedding and logits, over keys and values in pages. */
function generationStep(): Program {
  const shapes = llamaParameterShapes(config);
  const [N, S, E, G, L, R] = ["N", "S", "E", "G", "L", "R"].map(dim) as [Dim, Dim, Dim, Dim, Dim, Dim];
  const { headDim: D, numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, rmsNormEps } = config;
  const parameter = (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
  const layer = (name: string) => parameter(`model.layers.0.${name}.weight`);
  const linear = (x: Tracer, w: Tracer) => ops.matmul(x, w, { transposeB: true });
  const table = spec("float32", [L, D / 2]);
  return trace(
    ({ tokens, reads, ...pool }) => {
      const x = ops.gather(parameter("model.embed_tokens.weight"), tokens);
      const normed = ops.rmsNorm(x, layer("input_layernorm"), rmsNormEps);
      const project = (name: string) => linear(normed, layer(`self_attn.${name}_proj`));
      const projected = { query: project("q"), key: project("k"), value: project("v") };
      const { mixed, keys, values } = ops.pagedAttention(projected, pool, { heads, keyValueHeads });
      const attended = ops.add(x, linear(mixed, layer("self_attn.o_proj")));
      const fed = ops.rmsNorm(attended, layer("post_attention_layernorm"), rmsNormEps);
      const activated = ops.swiglu(linear(fed, layer("mlp.gate_proj")), linear(fed, layer("mlp.up_proj")));
      const hidden = ops.add(attended, linear(activated, layer("mlp.down_proj")));
      const logits = linear(ops.gather(hidden, reads), parameter("lm_head.weight"));
      return { logProbs: ops.logSoftmax(logits), best: ops.argmax(logits, { axis: -1 }), keys, values };
    },
    [
      {
        tokens: spec("int64", [N]),
        reads: spec("int64", [R]),
        keys: spec("float16", [G, keyValueHeads, D, 16]),
        values: spec("float16", [G, keyValueHeads, 16, D]),
        pages: spec("int32", [S, E]),
        sequence: spec("int32", [N]),
        positions: spec("int32", [N]),
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
    expect(findGaps(withGradient(operation, "float32"))).toEqual([]);
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

  it("a step of generation with weights in float16", () =>
    expect(findGaps(ops.toHalf(generationStep(), "float16"))).toEqual([]));
});

describe("findGaps()", () => {
  it("finds what CUDA lacks: the largest of integers", () => {
    expect(findGaps(trace((x) => ops.argmax(x, { axis: 0 }), [spec("int64", [3])]))).toEqual([
      "ArgMax T=int64",
    ]);
  });
});

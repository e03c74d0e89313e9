import { llamaLogits } from "@flacuna/model";
import { constant, evaluate, spec, Tensor, type Tracer, trace } from "@flacuna/tensor";
import { relativeError, TOLERANCES } from "@flacuna/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TOY, TOY_PARAMETERS, toyAdapter } from "./fixtures/toy-model.ts";
import { loraLinear } from "./linear.ts";
import { createMerger, type Merger } from "./merge.ts";

const ADAPTER = toyAdapter();
const TOY_SHAPES = new Map(Object.entries(TOY_PARAMETERS).map(([path, { shape }]) => [path, shape]));
const COMPILE_TIMEOUT_MS = 60_000;
const TARGET = "model.layers.0.self_attn.v_proj.weight";

/** W + α/r·B·A in plain loops. */
function expectedMerge(): Tensor {
  const { A, B } = ADAPTER.tensors["model.layers.0.self_attn.v_proj"]!;
  const W = TOY_PARAMETERS[TARGET]!;
  const [out, inner] = W.shape as [number, number];
  const [w, a, b] = [W, A, B].map((tensor) => tensor.toNumbers()) as [number[], number[], number[]];
  const values = w.map((value, index) => {
    const [row, column] = [Math.floor(index / inner), index % inner];
    return value + 2 * (b[row * 2]! * a[column]! + b[row * 2 + 1]! * a[inner + column]!);
  });
  return Tensor.fromArray("float32", [out, inner], values);
}

function logits(parameters: Readonly<Record<string, Tensor>>, isAdapted: boolean): Tensor {
  const traced = (inputIds: Tracer) => {
    const factors = Object.entries(ADAPTER.tensors).map(([module, { A, B }]) => {
      return [module, { A: constant(A), B: constant(B) }] as const;
    });
    const linear = loraLinear(isAdapted ? Object.fromEntries(factors) : {}, ADAPTER.config);
    return llamaLogits(TOY, (path) => constant(parameters[path]!), { inputIds }, { linear });
  };
  const ids = Tensor.fromArray("int64", [1, 5], [1, 4, 9, 16, 2]);
  return evaluate(trace(traced, [spec("int64", [1, 5])]), [ids]) as Tensor;
}

describe("createMerger()", () => {
  let merger: Merger;
  beforeAll(async () => {
    merger = await createMerger(ADAPTER, TOY_SHAPES);
  }, COMPILE_TIMEOUT_MS);
  afterAll(() => merger.dispose());

  it("adds α/r·B·A to a weight with factors", async () => {
    const merged = await merger.merge(TARGET, TOY_PARAMETERS[TARGET]!);
    expect(relativeError(merged, expectedMerge())).toBeLessThanOrEqual(TOLERANCES.float32);
  });

  it("makes weights whose logits are the base's with the adapter beside it", async () => {
    const merged: Record<string, Tensor> = {};
    for (const [path, tensor] of Object.entries(TOY_PARAMETERS))
      merged[path] = await merger.merge(path, tensor);
    const beside = logits(TOY_PARAMETERS, true);
    expect(relativeError(logits(merged, false), beside)).toBeLessThanOrEqual(TOLERANCES.float32);
    expect(relativeError(logits(TOY_PARAMETERS, false), beside)).toBeGreaterThan(0.01);
  });

  it("takes the adapter out again, to rounding", async () => {
    const weight = TOY_PARAMETERS[TARGET]!;
    const back = await merger.unmerge(TARGET, await merger.merge(TARGET, weight));
    expect(relativeError(back, weight)).toBeLessThanOrEqual(TOLERANCES.float32);
  });

  it.each(["bfloat16", "float16"] as const)("keeps %s and rounds once, after the sum", async (dtype) => {
    const narrow = Tensor.fromArray(
      dtype,
      TOY_PARAMETERS[TARGET]!.shape,
      TOY_PARAMETERS[TARGET]!.toNumbers(),
    );
    const wide = Tensor.fromArray("float32", narrow.shape, narrow.toNumbers());
    const expected = Tensor.fromArray(dtype, wide.shape, (await merger.merge(TARGET, wide)).toNumbers());
    expect(await merger.merge(TARGET, narrow)).toEqual(expected);
  });

  it("hands back a weight without factors as it is", async () => {
    const weight = TOY_PARAMETERS["model.norm.weight"]!;
    expect(await merger.merge("model.norm.weight", weight)).toBe(weight);
  });

  it("leaves its argument alone", async () => {
    const before = TOY_PARAMETERS[TARGET]!.toNumbers();
    await merger.merge(TARGET, TOY_PARAMETERS[TARGET]!);
    expect(TOY_PARAMETERS[TARGET]!.toNumbers()).toEqual(before);
  });

  it("refuses an adapter for modules that the model lacks", async () => {
    const { config, tensors } = ADAPTER;
    const stranger = {
      config,
      tensors: { ...tensors, "model.layers.9.self_attn.v_proj": tensors["model.layers.0.self_attn.v_proj"]! },
    };
    await expect(createMerger(stranger, TOY_SHAPES)).rejects.toMatchObject({
      code: "LORA_SHAPE_MISMATCH",
      message: expect.stringContaining("model.layers.9.self_attn.v_proj"),
    });
  });

  it("refuses a weight of another model's shape", async () => {
    await expect(merger.merge(TARGET, Tensor.zeros("float32", [4, 9]))).rejects.toMatchObject({
      code: "LORA_SHAPE_MISMATCH",
      message: expect.stringMatching(/v_proj\.weight is \[4,9\], the adapter is for \[4,8\]/),
    });
  });
});

// An adapter's gradients over weights in 8, 4 and 16 bits: close to PyTorch's in float32, with native kernels and without.
import {
  adapterLoss,
  createAdapter,
  type LoraTree,
  SUPERVISED_BATCH,
  toSupervisedBatch,
} from "@flacuna/lora";
import {
  type LlamaConfig,
  llamaParameterShapes,
  type RotatedCheckpoint,
  readGgufCheckpoint,
  readSafetensors,
  rotateCheckpoint,
} from "@flacuna/model";
import {
  compile,
  deriveSeed,
  isTensor,
  mapTree,
  type PrecisionChoice,
  randomNormal,
  scalar,
  spec,
  Tensor,
  type Tracer,
  trace,
  valueAndGrad,
  type WeightSource,
  weightsFrom,
} from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { toTensors } from "./closeness.ts";
import { goldenPath } from "./golden-files.ts";
import { byPeftName, evaluationBatch, TOYS, type ToyModel } from "./toy-models.ts";

interface Model {
  readonly config: LlamaConfig;
  readonly weights: WeightSource;
  readonly adapter: ToyModel["adapter"];
  readonly batch: Parameters<typeof toSupervisedBatch>[0];
}

interface Computation {
  readonly precision: PrecisionChoice;
  readonly kernels: boolean;
  readonly rotated?: RotatedCheckpoint;
}

interface LossAndGradient {
  readonly value: Tensor;
  readonly gradient: LoraTree<Tensor>;
  /** The names of the weights that the program reads. */
  readonly weights: readonly string[];
}

/** Loss and gradient of the adapter over weights in a precision. */
async function differentiate(
  model: Model,
  { precision, kernels, rotated }: Computation,
): Promise<LossAndGradient> {
  const { config, weights } = rotated ?? model;
  const { tensors, config: lora } = model.adapter;
  const loss = adapterLoss(config, lora, false, rotated ? { rotated } : {});
  const program = trace(
    (at: unknown, batch: unknown, seed: Tracer) =>
      valueAndGrad((each: unknown) => loss(each as never, batch as never, seed))(at),
    [
      mapTree(tensors, isTensor, ({ dtype, shape }) => spec(dtype, shape)),
      SUPERVISED_BATCH,
      spec("int64", []),
    ],
  );
  const executable = await compile(program, { threads: 1, weights, precision, kernels });
  const outputs = await toTensors(
    await executable.run([tensors, toSupervisedBatch(model.batch), scalar(0, "int64")]),
  );
  const names = executable.program.equations.flatMap((each) =>
    each.primitive === "weight" ? [each.params.path] : [],
  );
  await executable.dispose();
  return { ...(outputs as Pick<LossAndGradient, "value" | "gradient">), weights: names };
}

/** The cosine of the angle between two sets of tensors, each as one vector. */
function cosine(got: Readonly<Record<string, Tensor>>, expected: (name: string) => Tensor): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (const [name, tensor] of Object.entries(got)) {
    const [a, b] = [tensor.toNumbers(), expected(name).toNumbers()];
    for (const [index, value] of a.entries()) {
      ab += value * b[index]!;
      aa += value ** 2;
      bb += b[index]! ** 2;
    }
  }
  return ab / Math.sqrt(aa * bb);
}

const relativeDifference = (got: Tensor, expected: Tensor): number =>
  Math.abs(got.toNumbers()[0]! / expected.toNumbers()[0]! - 1);

const KERNELS = [
  { how: "native kernels where there are some", kernels: true },
  { how: "the runtime's operators", kernels: false },
] as const;

const toyOf = (toy: ToyModel): Model => ({ ...toy, batch: evaluationBatch(toy) });

describe.each(KERNELS)("adapterLoss() by $how", ({ kernels }) => {
  it.each(TOYS)("has the reference's gradient to bfloat16's accuracy over $name in bfloat16", async (toy) => {
    const { value, gradient, weights } = await differentiate(toyOf(toy), { precision: "bfloat16", kernels });
    expect(weights).toContain("model.layers.0.mlp.up_proj.weight#bfloat16.packed");
    expect(cosine(byPeftName(gradient), (key) => toy.value(`lora.grad.${key}`))).toBeGreaterThan(0.9995);
    expect(relativeDifference(value, toy.value("lora.loss"))).toBeLessThan(3e-3);
  });

  it.each(TOYS)("has the reference's gradient over $name in int16", async (toy) => {
    const { value, gradient, weights } = await differentiate(toyOf(toy), { precision: "int16", kernels });
    expect(weights).toContain("model.layers.0.mlp.up_proj.weight#int16.packed");
    expect(cosine(byPeftName(gradient), (key) => toy.value(`lora.grad.${key}`))).toBeGreaterThan(0.99999);
    expect(relativeDifference(value, toy.value("lora.loss"))).toBeLessThan(3e-4);
  });

  it.each(TOYS)("has nearly the reference's gradient over $name, rotated, in int8", async (toy) => {
    const rotated = rotateCheckpoint(toy.config, toy.weights);
    const precision = (path: string, use: string) =>
      path === "lm_head.weight" && use === "transposed" ? "bfloat16" : "int8";
    const { value, gradient, weights } = await differentiate(toyOf(toy), { precision, kernels, rotated });
    expect(weights).toContain("model.layers.0.mlp.up_proj.weight#int8.packed");
    expect(cosine(byPeftName(gradient), (key) => toy.value(`lora.grad.${key}`))).toBeGreaterThan(0.99);
    expect(relativeDifference(value, toy.value("lora.loss"))).toBeLessThan(2e-2);
  });

  it("computes with a GGUF's blocks of 4 bits what it computes with the values they stand for", async () => {
    const { config, weights } = await readGgufCheckpoint(goldenPath("gguf-llama.gguf"));
    const file = await readSafetensors(goldenPath("gguf-llama.values.safetensors"));
    const names = [...file.tensors.keys()];
    const values = await Promise.all(names.map(async (name) => [name, await file.read(name)] as const));
    const model = { config, weights, adapter: adapterFor(config), batch: batchFor(config) };
    const dequantized = { ...model, weights: weightsFrom(new Map<string, Tensor>(values)) };
    const expected = await differentiate(dequantized, { precision: "float32", kernels: false });
    const got = await differentiate(model, { precision: "int4", kernels });
    expect(got.weights).toContain("model.layers.0.mlp.up_proj.weight#int4.packed");
    const references = byPeftName(expected.gradient);
    expect(cosine(byPeftName(got.gradient), (key) => references[key]!)).toBeGreaterThan(0.9995);
    expect(relativeDifference(got.value, expected.value)).toBeLessThan(3e-3);
  });
});

/** Of queries and values, both factors random. */
function adapterFor(config: LlamaConfig): Model["adapter"] {
  const lora = { rank: 4, alpha: 8, dropout: 0, targetModules: ["q_proj", "v_proj"] };
  const { tensors } = createAdapter(llamaParameterShapes(config), lora, { seed: 3 });
  const random = Object.entries(tensors).map(([module, { A, B }]) => {
    const noise = randomNormal(deriveSeed(3, module), B.data.length).map((value) => 0.1 * value);
    return [module, { A, B: Tensor.fromArray("float32", B.shape, noise) }] as const;
  });
  return { config: lora, tensors: Object.fromEntries(random) };
}

function batchFor({ vocabSize }: LlamaConfig): Model["batch"] {
  const [batchSize, sequenceLength] = [3, 11];
  const token = (_: unknown, index: number) => BigInt((7 * index * index + 3) % vocabSize);
  const inputIds = BigInt64Array.from({ length: batchSize * sequenceLength }, token);
  const labels = inputIds.map((id, index) => (index % sequenceLength > 3 ? id : -100n));
  return { inputIds, labels, batchSize, sequenceLength };
}

// An adapter trained on a rotated checkpoint is the one trained on the checkpoint itself.
import { type LlamaConfig, llamaLogits, llamaParameterShapes, rotateCheckpoint } from "@flacuna/model";
import {
  compile,
  deriveSeed,
  grad,
  isTensor,
  mapTree,
  mul,
  randomNormal,
  spec,
  sum,
  Tensor,
  type Tracer,
  trace,
  type Value,
  type WeightSource,
  weight,
  weightsFrom,
} from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { createAdapter, type LoraTree } from "./adapter.ts";
import type { LoraConfig } from "./config.ts";
import { type LoraLinearOptions, loraLinear } from "./linear.ts";

/** Grouped heads; a hidden size of three blocks of eight; an intermediate size of two Hadamard blocks. */
const CONFIG: LlamaConfig = {
  vocabSize: 19,
  hiddenSize: 24,
  intermediateSize: 128,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 6,
  maxPositionEmbeddings: 32,
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  tieWordEmbeddings: false,
};

const LORA: LoraConfig = {
  rank: 3,
  alpha: 6,
  dropout: 0,
  targetModules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"],
};

const IDS = Tensor.fromArray("int64", [2, 5], [1, 4, 9, 16, 2, 3, 18, 7, 7, 5]);

function normal(name: string, shape: readonly number[], scale: number, offset = 0): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = randomNormal(deriveSeed(1, name), size).map((x) => offset + scale * x);
  return Tensor.fromArray("float32", shape, values);
}

const parametersOf = (config: LlamaConfig): WeightSource =>
  weightsFrom(
    new Map(
      [...llamaParameterShapes(config)].map(([path, shape]) => {
        const isNorm = shape.length === 1;
        return [path, normal(path, shape, isNorm ? 0.3 : 1.5 / Math.sqrt(shape[1]!), isNorm ? 1 : 0)];
      }),
    ),
  );

/** An adapter of every projection, the output head too, whose B is not zero. */
function adapterOf(config: LlamaConfig): LoraTree<Tensor> {
  const shapes = llamaParameterShapes({ ...config, tieWordEmbeddings: false });
  const { tensors } = createAdapter(shapes, LORA, { seed: 5 });
  const trained = Object.entries(tensors).map(([module, { A, B }]) => {
    return [module, { A, B: normal(`${module}.B`, B.shape, 0.3) }] as const;
  });
  return Object.fromEntries(trained);
}

interface Model extends LoraLinearOptions {
  readonly config: LlamaConfig;
  readonly weights: WeightSource;
  readonly hadamard?: boolean;
}

/** Logits, and gradients of a random sum of them with respect to the adapter, by name. */
async function run({ config, weights, hadamard = false, ...options }: Model): Promise<Map<string, number[]>> {
  const [shapes, adapter] = [llamaParameterShapes(config), adapterOf(config)];
  const parameter = (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
  const logitsOf = (factors: LoraTree<Tracer>, inputIds: Tracer) =>
    llamaLogits(config, parameter, { inputIds }, { linear: loraLinear(factors, LORA, options), hadamard });
  const program = trace(
    (factors: LoraTree<Tracer>, inputIds: Tracer, shares: Tracer) => {
      const gradient = grad((tree: LoraTree<Tracer>) => sum(mul(logitsOf(tree, inputIds), shares)));
      return { logits: logitsOf(factors, inputIds), gradient: gradient(factors) };
    },
    [
      mapTree(adapter, isTensor, ({ dtype, shape }) => spec(dtype, shape)),
      spec("int64", [2, 5]),
      spec("float32", [2, 5, CONFIG.vocabSize]),
    ],
  );
  const executable = await compile(program, { device: "cpu", threads: 1, weights });
  const outputs = await executable.run([adapter, IDS, normal("shares", [2, 5, CONFIG.vocabSize], 1)]);
  const { logits, gradient } = outputs as unknown as { logits: Value; gradient: LoraTree<Value> };
  const named = new Map([["logits", logits]]);
  for (const [module, { A, B }] of Object.entries(gradient))
    named.set(`${module}.A`, A).set(`${module}.B`, B);
  const numbers = new Map<string, number[]>();
  for (const [name, value] of named) {
    numbers.set(name, (await value.toTensor()).toNumbers());
    value.dispose();
  }
  await executable.dispose();
  return numbers;
}

const length = (values: readonly number[]): number => Math.hypot(...values);

describe("loraLinear() on a rotated checkpoint", () => {
  it.each([
    ["its own output head", CONFIG],
    ["tied embeddings", { ...CONFIG, tieWordEmbeddings: true }],
    [
      "no Hadamard blocks, and a hidden size of one block",
      { ...CONFIG, hiddenSize: 16, intermediateSize: 40 },
    ],
  ])("gives the logits and gradients of the checkpoint, with %s", async (_, config) => {
    const weights = parametersOf(config);
    const expected = await run({ config, weights });
    const actual = await run(rotateCheckpoint(config, weights));
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    expect(expected.size).toBe(1 + 2 * (2 * 7 + 1));
    for (const [name, values] of expected) {
      const difference = values.map((value, i) => value - actual.get(name)![i]!);
      expect(length(values), name).toBeGreaterThan(0);
      expect(length(difference) / length(values), name).toBeLessThan(1e-4);
    }
  });
});

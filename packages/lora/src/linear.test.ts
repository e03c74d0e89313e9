import { llamaLogits, llamaParameterShapes } from "@flacuna/model";
import {
  constant,
  dim,
  evaluate,
  isTensor,
  mapTree,
  scalar,
  spec,
  Tensor,
  type Tracer,
  trace,
} from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { type Adapter, createAdapter, type LoraTree } from "./adapter.ts";
import { TOY, TOY_LORA, TOY_PARAMETERS, toyAdapter } from "./fixtures/toy-model.ts";
import { loraLinear } from "./linear.ts";

const IDS = Tensor.fromArray("int64", [1, 5], [1, 4, 9, 16, 2]);
const WITH_DROPOUT = toyAdapter({ ...TOY_LORA, dropout: 0.5 });

/** Logits of the toy model with an adapter; a seed turns dropout on. */
function logits({ config, tensors }: Adapter, seed?: number): number[] {
  const program = trace(
    (inputIds: Tracer, factors: LoraTree<Tracer>) => {
      const linear = loraLinear(
        factors,
        config,
        seed === undefined ? {} : { seed: constant(scalar(seed, "int64")) },
      );
      return llamaLogits(TOY, (path) => constant(TOY_PARAMETERS[path]!), { inputIds }, { linear });
    },
    [spec("int64", [1, dim("T")]), mapTree(tensors, isTensor, ({ dtype, shape }) => spec(dtype, shape))],
  );
  return (evaluate(program, [IDS, tensors]) as Tensor).toNumbers();
}

const plainLogits = (): number[] => logits({ config: TOY_LORA, tensors: {} });

describe("loraLinear()", () => {
  it("is x·Wᵀ + α/r·(x·Aᵀ)·Bᵀ for a module with factors, x·Wᵀ for any other", () => {
    const [x, W] = [
      Tensor.fromArray("float64", [1, 2], [1, 2]),
      Tensor.fromArray("float64", [2, 2], [1, 0, 0, 1]),
    ];
    const factors = {
      A: Tensor.fromArray("float64", [1, 2], [3, 5]),
      B: Tensor.fromArray("float64", [2, 1], [1, -2]),
    };
    const project = (module: string) => {
      const program = trace(
        (input: Tracer, base: Tracer, pair: LoraTree<Tracer>[string]) =>
          loraLinear({ q_proj: pair }, { ...TOY_LORA, rank: 1, alpha: 3 })(`${module}.weight`, input, base),
        [
          spec("float64", [1, 2]),
          spec("float64", [2, 2]),
          { A: spec("float64", [1, 2]), B: spec("float64", [2, 1]) },
        ],
      );
      return (evaluate(program, [x, W, factors]) as Tensor).toNumbers();
    };
    expect(project("q_proj")).toEqual([1 + 3 * 13, 2 - 3 * 26]);
    expect(project("k_proj")).toEqual([1, 2]);
  });

  it("keeps logits unchanged when B is zero, with dropout too", () => {
    const fresh = createAdapter(llamaParameterShapes(TOY), { ...TOY_LORA, dropout: 0.5 }, { seed: 1 });
    expect(logits(fresh)).toEqual(plainLogits());
    expect(logits(fresh, 7)).toEqual(plainLogits());
  });

  it("changes logits when B is not zero", () => {
    expect(logits(toyAdapter())).not.toEqual(plainLogits());
  });

  it("drops nothing without a seed", () => {
    expect(logits(WITH_DROPOUT)).toEqual(logits(toyAdapter()));
  });

  it("drops the same for the same seed, and other elements for another", () => {
    expect(logits(WITH_DROPOUT, 7)).toEqual(logits(WITH_DROPOUT, 7));
    expect(logits(WITH_DROPOUT, 7)).not.toEqual(logits(WITH_DROPOUT, 8));
    expect(logits(WITH_DROPOUT, 7)).not.toEqual(logits(WITH_DROPOUT));
  });

  it("drops other elements in each module", () => {
    const x = Tensor.fromArray("float64", [1, 64], new Array(64).fill(1));
    const identity = Tensor.fromArray(
      "float64",
      [64, 64],
      Array.from({ length: 64 * 64 }, (_, i) => Number(i % 65 === 0)),
    );
    const program = trace(
      (input: Tracer, eye: Tracer) => {
        const config = { ...TOY_LORA, rank: 64, alpha: 64, dropout: 0.5 };
        const adapter = { q: { A: eye, B: eye }, v: { A: eye, B: eye } };
        const linear = loraLinear(adapter, config, { seed: constant(scalar(7, "int64")) });
        return [linear("q.weight", input, eye), linear("v.weight", input, eye)];
      },
      [spec("float64", [1, 64]), spec("float64", [64, 64])],
    );
    const [q, v] = (evaluate(program, [x, identity]) as Tensor[]).map((tensor) => tensor.toNumbers());
    expect(new Set([...q!, ...v!])).toEqual(new Set([1, 3])); // the base's 1, and a dropped 0 or a kept 1 / (1 − 0.5)
    expect(q).not.toEqual(v);
  });
});

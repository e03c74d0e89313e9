import { llamaParameterShapes } from "@flacuna/model";
import { evaluate, spec, Tensor, type TensorsByPath, type Tracer, trace, weight } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import type { Adapter } from "./adapter.ts";
import { TOY, TOY_LORA, TOY_PARAMETERS, toyAdapter } from "./fixtures/toy-model.ts";
import { loraLinear } from "./linear.ts";
import { stackAdapters } from "./stack.ts";

const shapes = llamaParameterShapes(TOY);
const PATH = "model.layers.0.self_attn.q_proj.weight";
const MODULE = "model.layers.0.self_attn.q_proj";
const OTHER_PATH = "model.layers.0.mlp.up_proj.weight";

/** Of different ranks, scales and modules. */
const ADAPTERS = {
  queries: toyAdapter({ ...TOY_LORA, targetModules: ["q_proj"] }),
  wide: toyAdapter({ ...TOY_LORA, rank: 3, alpha: 1, targetModules: ["q_proj", "up_proj"] }),
};
const stack = stackAdapters(shapes, ADAPTERS);

const x = Tensor.fromArray(
  "float32",
  [4, TOY.hiddenSize],
  Array.from({ length: 4 * TOY.hiddenSize }, (_, i) => Math.sin(i)),
);

const base = (path: string): Tracer => weight(path, { dtype: "float32", shape: shapes.get(path)! });

/** Rows of the projection when each has the adapter of its number. */
async function stacked(path: string, adapterOfRow: readonly number[]): Promise<number[][]> {
  const program = trace(
    (input, adapter) => stack.linear(adapter)(path, input, base(path)),
    [spec("float32", x.shape), spec("int32", [4])],
  );
  const names = program.equations.flatMap((each) => (each.primitive === "weight" ? [each.params.path] : []));
  const weights: Map<string, Tensor> = new Map();
  for (const name of names) {
    weights.set(name, TOY_PARAMETERS[name] ?? (await stack.weights.get(name)!.read()));
  }
  const adapters = Tensor.fromArray("int32", [4], adapterOfRow);
  return rowsOf(evaluate(program, [x, adapters], weights as TensorsByPath) as Tensor);
}

/** Rows of the projection when all have one adapter, or none. */
function alone(path: string, adapter?: Adapter): number[][] {
  const { config, tensors } = adapter ?? { config: TOY_LORA, tensors: {} };
  const pair = tensors[path.replace(/\.weight$/, "")];
  const module = path.replace(/\.weight$/, "");
  const program = trace(
    (input) => {
      const factors = pair && {
        [module]: {
          A: weight("A", { dtype: "float32", shape: pair.A.shape }),
          B: weight("B", { dtype: "float32", shape: pair.B.shape }),
        },
      };
      return loraLinear(factors ?? {}, config)(path, input, base(path));
    },
    [spec("float32", x.shape)],
  );
  const weights = new Map(Object.entries({ ...TOY_PARAMETERS, ...pair }));
  return rowsOf(evaluate(program, [x], weights) as Tensor);
}

function rowsOf(tensor: Tensor): number[][] {
  const numbers = tensor.toNumbers();
  const width = numbers.length / 4;
  return Array.from({ length: 4 }, (_, row) => numbers.slice(row * width, (row + 1) * width));
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 5);
}

describe("stackAdapters()", () => {
  it("gives each row what its adapter gives alone, and rows without any the plain product", async () => {
    const rows = await stacked(PATH, [2, 0, 1, 2]);
    const [none, queries, wide] = [alone(PATH), alone(PATH, ADAPTERS.queries), alone(PATH, ADAPTERS.wide)];
    expectClose(rows[0]!, wide[0]!);
    expect(rows[1]).toEqual(none[1]);
    expectClose(rows[2]!, queries[2]!);
    expectClose(rows[3]!, wide[3]!);
  });

  it("leaves rows alone whose adapter lacks the module", async () => {
    const rows = await stacked(OTHER_PATH, [1, 2, 1, 0]);
    const none = alone(OTHER_PATH);
    expect([rows[0], rows[2], rows[3]]).toEqual([none[0], none[2], none[3]]);
    expectClose(rows[1]!, alone(OTHER_PATH, ADAPTERS.wide)[1]!);
  });

  it("is told by name which adapters there are", () => expect(stack.names).toEqual(["queries", "wide"]));

  it("gives no tensors but its own", () => {
    expect(stack.weights.get(PATH)).toBeUndefined();
    expect(stack.weights.get(`adapters/${MODULE}.A`)?.shape).toEqual([5, TOY.hiddenSize]);
  });

  it("refuses an adapter of another model", () => {
    const other = { config: TOY_LORA, tensors: { "model.layers.7.x": ADAPTERS.wide.tensors[MODULE]! } };
    expect(() => stackAdapters(shapes, { other })).toThrow(/model\.layers\.7\.x/);
  });
});

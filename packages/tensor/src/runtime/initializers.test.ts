import { describe, expect, it } from "vitest";
import { Tensor } from "../tensor.ts";
import { onnxModel } from "./fixtures/onnx-fixture.ts";
import { createSession, declareInitializer, PrepackedWeights, type SessionOptions } from "./session.ts";
import { Value } from "./value.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const W = { dtype: "float32", shape: [2, 3] } as const;

/** y = x · w, or y = x · wᵀ by an operator that the runtime folds into the weight. */
function product(isTransposed = false): Uint8Array {
  const [rows, columns] = isTransposed ? [W.shape[1], W.shape[0]] : W.shape;
  return onnxModel({
    inputs: [{ name: "x", shape: ["N", rows] }],
    outputs: [{ name: "y", shape: ["N", columns] }],
    nodes: isTransposed
      ? [
          { op: "Transpose", inputs: ["w"], outputs: ["wt"], attributes: { perm: [1, 0] } },
          { op: "MatMul", inputs: ["x", "wt"], outputs: ["y"] },
        ]
      : [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
    initializers: [declareInitializer("w", W)],
  });
}

/** y = x + w, which the runtime reads from the value at every run. */
const SUM = onnxModel({
  inputs: [{ name: "x", shape: [2, 3] }],
  outputs: [{ name: "y", shape: [2, 3] }],
  nodes: [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }],
  initializers: [declareInitializer("w", W)],
});

const weightTensor = () => Tensor.fromArray("float32", W.shape, [1, 2, 3, 4, 5, 6]);

async function runOnce(
  model: Uint8Array,
  x: Tensor,
  options: Omit<SessionOptions, "device">,
): Promise<number[]> {
  await using session = await createSession(model, { device: "cpu", ...options });
  const inputs = new Map([["x", Value.fromTensor(x)]]);
  const result = await session.run({ inputs, outputs: new Map([["y", null]]) });
  return (await result.get("y")!.toTensor()).toNumbers();
}

describe("declareInitializer()", () => {
  it("refuses a symbolic axis", () => {
    const weight = { dtype: "float32", shape: ["N"] } as const;
    expect(() => declareInitializer("w", weight)).toThrow(code("TENSOR_INVALID_ARGUMENT"));
  });
});

describe("createSession() with initializers", () => {
  it.each(["none", "basic", "extended", "all"] as const)(
    "computes with the values at optimization %s",
    async (optimization) => {
      const initializers = new Map([["w", Value.fromTensor(weightTensor())]]);
      const x = Tensor.fromArray("float32", [1, 2], [1, 10]);
      expect(await runOnce(product(), x, { initializers, optimization })).toEqual([41, 52, 63]);
    },
  );

  it("computes with the values where the graph folds them", async () => {
    const initializers = new Map([["w", Value.fromTensor(weightTensor())]]);
    const x = Tensor.fromArray("float32", [1, 3], [1, 10, 100]);
    expect(await runOnce(product(true), x, { initializers })).toEqual([321, 654]);
  });

  it("reads the value in place from every session", async () => {
    const weight = weightTensor();
    const initializers = new Map([["w", Value.fromTensor(weight)]]);
    const sessions = await Promise.all([1, 2].map(() => createSession(SUM, { device: "cpu", initializers })));
    weight.data.fill(7);
    for (const session of sessions) {
      const inputs = new Map([["x", Value.allocate("float32", [2, 3])]]);
      const result = await session.run({ inputs, outputs: new Map([["y", null]]) });
      expect((await result.get("y")!.toTensor()).toNumbers()).toEqual(Array(6).fill(7));
      await session.dispose();
    }
  });

  it("keeps a value that is disposed, until the session is", async () => {
    const weight = Value.fromTensor(weightTensor());
    await using session = await createSession(SUM, { device: "cpu", initializers: new Map([["w", weight]]) });
    weight.dispose();
    const inputs = new Map([["x", Value.allocate("float32", [2, 3])]]);
    const result = await session.run({ inputs, outputs: new Map([["y", null]]) });
    expect((await result.get("y")!.toTensor()).toNumbers()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("takes scalars and every small dtype", async () => {
    const model = onnxModel({
      inputs: [{ name: "x", dtype: "float16", shape: [2] }],
      outputs: [{ name: "y", dtype: "float16", shape: [2] }],
      nodes: [{ op: "Where", inputs: ["condition", "x", "w"], outputs: ["y"] }],
      initializers: [
        declareInitializer("condition", { dtype: "bool", shape: [2] }),
        declareInitializer("w", { dtype: "float16", shape: [] }),
      ],
    });
    const initializers = new Map([
      ["condition", Value.fromTensor(Tensor.fromArray("bool", [2], [true, false]))],
      ["w", Value.fromTensor(Tensor.fromArray("float16", [], [0.5]))],
    ]);
    const y = await runOnce(model, Tensor.fromArray("float16", [2], [3, 4]), { initializers });
    expect(y).toEqual([3, 0.5]);
  });

  it("refuses values that do not fit their declaration", async () => {
    const cases = {
      shape: new Map([["w", Value.allocate("float32", [3, 2])]]),
      dtype: new Map([["w", Value.allocate("float16", [2, 3])]]),
      name: new Map([
        ["w", Value.allocate("float32", [2, 3])],
        ["v", Value.allocate("float32", [2, 3])],
      ]),
      missing: new Map<string, Value>(),
    };
    for (const initializers of Object.values(cases)) {
      await expect(createSession(SUM, { device: "cpu", initializers })).rejects.toThrow(
        code("TENSOR_RUNTIME"),
      );
    }
  });

  it("reads opaque values in place, and fails without them", async () => {
    const model = onnxModel({
      inputs: [{ name: "x", shape: [2, 3] }],
      outputs: [{ name: "y", shape: [2, 3] }],
      nodes: [{ op: "Add", inputs: ["x", "w"], outputs: ["y"] }],
      initializers: [declareInitializer("w", W, { isOpaque: true })],
    });
    const weight = weightTensor();
    const initializers = new Map([["w", Value.fromTensor(weight)]]);
    const opaqueInitializers = new Set(["w"]);
    weight.data.fill(7);
    const y = await runOnce(model, Tensor.zeros("float32", [2, 3]), { initializers, opaqueInitializers });
    expect(y).toEqual(Array(6).fill(7));
    await expect(createSession(model, { device: "cpu" })).rejects.toThrow(code("TENSOR_RUNTIME"));
  });

  it("refuses a disposed value", async () => {
    const weight = Value.fromTensor(weightTensor());
    weight.dispose();
    const initializers = new Map([["w", weight]]);
    await expect(createSession(SUM, { device: "cpu", initializers })).rejects.toThrow(
      code("TENSOR_VALUE_DISPOSED"),
    );
  });
});

describe("PrepackedWeights", () => {
  it("serves sessions after one of them, and the store, were disposed", async () => {
    const prepacked = new PrepackedWeights();
    const initializers = new Map([["w", Value.fromTensor(weightTensor())]]);
    const options = { device: "cpu", initializers, prepacked } as const;
    const x = Tensor.fromArray("float32", [1, 2], [1, 10]);
    expect(await runOnce(product(), x, options)).toEqual([41, 52, 63]);
    await using session = await createSession(product(), options);
    prepacked.dispose();
    const result = await session.run({
      inputs: new Map([["x", Value.fromTensor(x)]]),
      outputs: new Map([["y", null]]),
    });
    expect((await result.get("y")!.toTensor()).toNumbers()).toEqual([41, 52, 63]);
    await expect(createSession(product(), options)).rejects.toThrow(code("TENSOR_VALUE_DISPOSED"));
  });
});

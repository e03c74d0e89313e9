import { describe, expect, it } from "vitest";
import { Tensor } from "../tensor.ts";
import { createSession } from "./session.ts";
import { onnxModel } from "./testing/onnx-fixture.ts";
import { Value } from "./value.ts";

const double = onnxModel({
  inputs: [{ name: "x", shape: ["N"] }],
  outputs: [{ name: "y", shape: ["N"] }],
  nodes: [{ op: "Add", inputs: ["x", "x"], outputs: ["y"] }],
});

describe("Session.run()", () => {
  it("returns outputs the runtime allocated", async () => {
    const session = await createSession(double, { device: "cpu" });
    const x = Value.fromTensor(Tensor.fromArray("float32", [3], [1, 2, 3]));
    const result = await session.run({ inputs: new Map([["x", x]]), outputs: new Map([["y", null]]) });
    expect((await result.get("y")!.toTensor()).toNumbers()).toEqual([2, 4, 6]);
    await session.dispose();
  });
});

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DTYPES, type DType } from "../dtype.ts";
import { Tensor } from "../tensor.ts";
import type { Device } from "./device.ts";
import { onnxModel } from "./fixtures/onnx-fixture.ts";
import { createSession, type Session } from "./session.ts";
import { Value } from "./value.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const floats = (...numbers: number[]) =>
  Value.fromTensor(Tensor.fromArray("float32", [numbers.length], numbers));
const numbersOf = async (value: Value | undefined) => (await value!.toTensor()).toNumbers();
const nextTick = () => new Promise(setImmediate);

/** sum = x + y, difference = x − y */
const ARITHMETIC = onnxModel({
  inputs: [
    { name: "x", shape: ["N"] },
    { name: "y", shape: ["N"] },
  ],
  outputs: [
    { name: "sum", shape: ["N"] },
    { name: "difference", shape: ["N"] },
  ],
  nodes: [
    { op: "Add", inputs: ["x", "y"], outputs: ["sum"] },
    { op: "Sub", inputs: ["x", "y"], outputs: ["difference"] },
  ],
});

/** A chain of many operators over many elements: seconds of work, ended early by the tests that use it. */
const SLOW_STEPS = 2_000;
const SLOW = onnxModel({
  inputs: [{ name: "x", shape: ["N"] }],
  outputs: [{ name: "y", shape: ["N"] }],
  nodes: Array.from({ length: SLOW_STEPS }, (_, step) => ({
    op: "Tanh",
    inputs: [step === 0 ? "x" : `x${step}`],
    outputs: [step === SLOW_STEPS - 1 ? "y" : `x${step + 1}`],
  })),
});

function runSlow(session: Session, length: number, signal?: AbortSignal): Promise<Map<string, Value>> {
  const inputs = new Map([["x", Value.allocate("float32", [length])]]);
  return session.run({ inputs, outputs: new Map([["y", null]]), ...(signal && { signal }) });
}
const LONG = 1 << 20;

describe("createSession()", () => {
  it("names inputs and outputs in the model's order", async () => {
    await using session = await createSession(ARITHMETIC, { device: "cpu" });
    expect([session.inputNames, session.outputNames]).toEqual([
      ["x", "y"],
      ["sum", "difference"],
    ]);
    expect(session.inputs.get("x")).toEqual({ name: "x", dtype: "float32", shape: ["N"] });
  });

  it("refuses bytes that are no model", async () => {
    await expect(createSession(Uint8Array.of(1, 2, 3), { device: "cpu" })).rejects.toThrow(
      code("TENSOR_RUNTIME"),
    );
    await expect(createSession(new Uint8Array(0), { device: "cpu" })).rejects.toThrow(code("TENSOR_RUNTIME"));
  });

  it("refuses outputs of a dtype that values cannot have", async () => {
    const int4 = 22;
    const model = onnxModel({
      inputs: [{ name: "x", shape: [2] }],
      outputs: [{ name: "y", onnxType: int4, shape: [2] }],
      nodes: [{ op: "Cast", inputs: ["x"], outputs: ["y"], attributes: { to: int4 } }],
    });
    await expect(createSession(model, { device: "cpu" })).rejects.toThrow(code("TENSOR_DTYPE_MISMATCH"));
  });

  it("refuses an unknown device", async () => {
    const device = "tpu" as Device;
    await expect(createSession(ARITHMETIC, { device })).rejects.toThrow(code("TENSOR_DEVICE_UNKNOWN"));
  });

  it.each([0, 1.5, Number.NaN])("refuses %d threads", async (threads) => {
    await expect(createSession(ARITHMETIC, { device: "cpu", threads })).rejects.toThrow(
      code("TENSOR_INVALID_ARGUMENT"),
    );
  });

  it("passes every setting to the runtime", async () => {
    await using session = await createSession(ARITHMETIC, {
      device: "cpu",
      threads: 2,
      spinning: true,
      optimization: "basic",
      disabledOptimizers: ["ConstantFolding", "CommonSubexpressionElimination"],
      arena: false,
      config: { "session.disable_prepacking": "1" },
    });
    const result = await session.run({
      inputs: new Map([
        ["x", floats(1)],
        ["y", floats(2)],
      ]),
      outputs: new Map([["sum", null]]),
    });
    expect(await numbersOf(result.get("sum"))).toEqual([3]);
  });
});

describe("Session.run()", () => {
  it("returns the outputs asked for, in any order", async () => {
    await using session = await createSession(ARITHMETIC, { device: "cpu" });
    const inputs = new Map([
      ["x", floats(5, 7)],
      ["y", floats(1, 2)],
    ]);
    const sum = Value.allocate("float32", [2]);
    const both = await session.run({
      inputs,
      outputs: new Map([
        ["difference", null],
        ["sum", sum],
      ]),
    });
    const one = await session.run({ inputs, outputs: new Map([["difference", null]]) });
    expect(both.get("sum")).toBe(sum);
    expect(await numbersOf(sum)).toEqual([6, 9]);
    expect(await numbersOf(both.get("difference"))).toEqual([4, 5]);
    expect([...one.keys()]).toEqual(["difference"]);
  });

  it("writes an output over an input, run after run", async () => {
    await using session = await createSession(ARITHMETIC, { device: "cpu" });
    const total = floats(0, 0);
    const inputs = new Map([
      ["x", total],
      ["y", floats(1, 2)],
    ]);
    for (let i = 0; i < 3; i++) await session.run({ inputs, outputs: new Map([["sum", total]]) });
    expect(await numbersOf(total)).toEqual([3, 6]);
  });

  it.each(Object.keys(DTYPES) as DType[])("takes and returns %s", async (dtype) => {
    const model = onnxModel({
      inputs: [{ name: "x", dtype, shape: ["N"] }],
      outputs: [{ name: "y", dtype, shape: ["N"] }],
      nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
    });
    await using session = await createSession(model, { device: "cpu" });
    const x = Tensor.fromArray(dtype, [3], [1, 0, 1]);
    const result = await session.run({
      inputs: new Map([["x", Value.fromTensor(x)]]),
      outputs: new Map([["y", null]]),
    });
    expect(await result.get("y")!.toTensor()).toEqual(x);
  });

  it("takes empty tensors", async () => {
    await using session = await createSession(ARITHMETIC, { device: "cpu" });
    const result = await session.run({
      inputs: new Map([
        ["x", floats()],
        ["y", floats()],
      ]),
      outputs: new Map([["sum", null]]),
    });
    expect(result.get("sum")!.shape).toEqual([0]);
  });

  it("checks names, dtypes and shapes before it runs", async () => {
    await using session = await createSession(ARITHMETIC, { device: "cpu" });
    const x = floats(1, 2);
    const both = { x, y: x };
    const integers = Value.allocate("int64", [2]);
    const cases: [string, Record<string, Value>, Record<string, Value | null>][] = [
      ["TENSOR_INVALID_ARGUMENT", { x }, { sum: null }],
      ["TENSOR_INVALID_ARGUMENT", { ...both, z: x }, { sum: null }],
      ["TENSOR_INVALID_ARGUMENT", both, { product: null }],
      ["TENSOR_INVALID_ARGUMENT", both, {}],
      ["TENSOR_DTYPE_MISMATCH", { x, y: integers }, { sum: null }],
      ["TENSOR_DTYPE_MISMATCH", both, { sum: integers }],
      ["TENSOR_SHAPE_MISMATCH", { x, y: floats(1, 2, 3) }, { sum: null }],
      ["TENSOR_SHAPE_MISMATCH", { x, y: Value.allocate("float32", [2, 1]) }, { sum: null }],
      ["TENSOR_SHAPE_MISMATCH", both, { sum: floats(0, 0, 0) }],
    ];
    for (const [expected, inputs, outputs] of cases) {
      const request = { inputs: new Map(Object.entries(inputs)), outputs: new Map(Object.entries(outputs)) };
      await expect(session.run(request)).rejects.toThrow(code(expected));
    }
  });

  it("refuses a disposed value, and finishes with one that is disposed while it runs", async () => {
    await using session = await createSession(ARITHMETIC, { device: "cpu" });
    const x = floats(1, 2);
    const request = {
      inputs: new Map([
        ["x", x],
        ["y", x],
      ]),
      outputs: new Map([["sum", null]]),
    };
    const running = session.run(request);
    x.dispose();
    expect(await numbersOf((await running).get("sum"))).toEqual([2, 4]);
    await expect(session.run(request)).rejects.toThrow(code("TENSOR_VALUE_DISPOSED"));
  });

  it("reports a failure of an operator and stays usable", async () => {
    const model = onnxModel({
      inputs: [
        { name: "x", shape: ["N"] },
        { name: "shape", dtype: "int64", shape: ["R"] },
      ],
      outputs: [{ name: "y" }],
      nodes: [{ op: "Reshape", inputs: ["x", "shape"], outputs: ["y"] }],
    });
    await using session = await createSession(model, { device: "cpu" });
    const reshape = (length: number) =>
      session.run({
        inputs: new Map([
          ["x", floats(1, 2)],
          ["shape", Value.fromTensor(Tensor.fromArray("int64", [1], [length]))],
        ]),
        outputs: new Map([["y", null]]),
      });
    await expect(reshape(3)).rejects.toThrow(code("TENSOR_RUNTIME"));
    expect((await reshape(2)).get("y")!.shape).toEqual([2]);
  });

  it("says that memory ran out, and stays usable", async () => {
    const model = onnxModel({
      inputs: [
        { name: "x", shape: [1] },
        { name: "shape", dtype: "int64", shape: [1] },
      ],
      outputs: [{ name: "y", shape: ["N"] }],
      nodes: [{ op: "Expand", inputs: ["x", "shape"], outputs: ["y"] }],
    });
    await using session = await createSession(model, { device: "cpu" });
    const expand = (length: number) =>
      session.run({
        inputs: new Map([
          ["x", floats(1)],
          ["shape", Value.fromTensor(Tensor.fromArray("int64", [1], [length]))],
        ]),
        outputs: new Map([["y", null]]),
      });
    await expect(expand(2 ** 50)).rejects.toThrow(code("TENSOR_OUT_OF_MEMORY"));
    expect(await numbersOf((await expand(2)).get("y"))).toEqual([1, 1]);
  });

  it("keeps runs of one session apart", async () => {
    await using session = await createSession(ARITHMETIC, { device: "cpu" });
    const runs = Array.from({ length: 20 }, async (_, i) => {
      const inputs = new Map([
        ["x", floats(i, i)],
        ["y", floats(1, 2)],
      ]);
      return numbersOf((await session.run({ inputs, outputs: new Map([["sum", null]]) })).get("sum"));
    });
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 20 }, (_, i) => [i + 1, i + 2]));
  });

  it("leaves the event loop and a thread for files free while sessions run", async () => {
    const sessions = await Promise.all(
      Array.from({ length: 5 }, () => createSession(SLOW, { device: "cpu", threads: 1 })),
    );
    const controller = new AbortController();
    let isOver = false;
    const runs = sessions.map((session) => runSlow(session, LONG, controller.signal));
    const over = Promise.allSettled(runs).then((results) => {
      isOver = true;
      return results;
    });
    await readFile(fileURLToPath(import.meta.url));
    await nextTick();
    expect(isOver).toBe(false);
    controller.abort();
    expect((await over).map(({ status }) => status)).toEqual(Array(5).fill("rejected"));
    await Promise.all(sessions.map((session) => session.dispose()));
  });
});

describe("Session.run() with a signal", () => {
  it("ends at the next operator, keeps the reason, and leaves the session usable", async () => {
    await using session = await createSession(SLOW, { device: "cpu" });
    const controller = new AbortController();
    const running = runSlow(session, LONG, controller.signal);
    await nextTick();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(running).rejects.toMatchObject({ code: "TENSOR_CANCELLED", cause: reason });
    expect(await numbersOf((await runSlow(session, 1)).get("y"))).toEqual([0]);
  });

  it("does not begin when aborted before, nor when aborted while it waits", async () => {
    await using session = await createSession(SLOW, { device: "cpu" });
    const first = new AbortController();
    const second = new AbortController();
    await expect(runSlow(session, 1, AbortSignal.abort())).rejects.toThrow(code("TENSOR_CANCELLED"));
    const running = runSlow(session, LONG, first.signal);
    const waiting = runSlow(session, 1, second.signal);
    second.abort();
    await expect(waiting).rejects.toThrow(code("TENSOR_CANCELLED"));
    first.abort();
    await expect(running).rejects.toThrow(code("TENSOR_CANCELLED"));
  });
});

describe("Session.dispose()", () => {
  it("writes the profile of its runs", async () => {
    const folder = await mkdtemp(join(tmpdir(), "profile-"));
    try {
      const session = await createSession(ARITHMETIC, { device: "cpu", profilePrefix: join(folder, "run") });
      await session.run({
        inputs: new Map([
          ["x", floats(1)],
          ["y", floats(2)],
        ]),
        outputs: new Map([["sum", null]]),
      });
      await session.dispose();
      expect(await readFile(session.profilePath!, "utf8")).toContain('"op_name" : "Add"');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("waits for runs that were asked for, and refuses later ones", async () => {
    const session = await createSession(SLOW, { device: "cpu" });
    const running = runSlow(session, 1000);
    const disposal = session.dispose();
    await expect(runSlow(session, 1)).rejects.toThrow(code("TENSOR_VALUE_DISPOSED"));
    expect((await running).get("y")!.shape).toEqual([1000]);
    await disposal;
    await session.dispose();
  });
});

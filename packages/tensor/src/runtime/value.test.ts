import { describe, expect, it } from "vitest";
import { Tensor } from "../tensor.ts";
import type { Device } from "./device.ts";
import { loadRuntime } from "./library.ts";
import { Value } from "./value.ts";

const code = (value: string) => expect.objectContaining({ code: value });

describe("Value.fromTensor()", () => {
  it("uses the tensor's memory on the CPU", async () => {
    const tensor = Tensor.zeros("float32", [2]);
    using value = Value.fromTensor(tensor);
    tensor.data[1] = 5;
    expect((await value.toTensor()).toNumbers()).toEqual([0, 5]);
  });

  it("takes scalars and empty tensors", async () => {
    using scalar = Value.fromTensor(Tensor.fromArray("bool", [], [true]));
    using empty = Value.fromTensor(Tensor.zeros("int8", [0, 4]));
    expect([(await scalar.toTensor()).toNumbers(), (await empty.toTensor()).shape]).toEqual([[1], [0, 4]]);
  });

  it("refuses a device it does not know", () => {
    const device = "tpu" as Device;
    expect(() => Value.fromTensor(Tensor.zeros("float32", [1]), device)).toThrow(
      code("TENSOR_DEVICE_UNKNOWN"),
    );
  });

  it.skipIf(hasCuda())("says what to do where the CUDA provider is missing", () => {
    const act = () => Value.fromTensor(Tensor.zeros("float32", [1]), "cuda");
    expect(act).toThrow(code("TENSOR_DEVICE_UNAVAILABLE"));
    expect(act).toThrow(/approve-builds onnxruntime-node/);
  });

  it.runIf(hasCuda())("brings values to the GPU and back", async () => {
    using value = Value.fromTensor(Tensor.fromArray("float16", [2], [1, -2]), "cuda");
    expect([value.device, (await value.toTensor()).toNumbers()]).toEqual(["cuda", [1, -2]]);
  });
});

describe("Value.allocate()", () => {
  it("is zero", async () => {
    using value = Value.allocate("bfloat16", [3]);
    expect([value.byteLength, (await value.toTensor()).toNumbers()]).toEqual([6, [0, 0, 0]]);
  });

  it("says that memory is short", () => {
    expect(() => Value.allocate("float64", [2 ** 48])).toThrow(code("TENSOR_OUT_OF_MEMORY"));
  });
});

describe("Value.toTensor()", () => {
  it("copies, unless it may share", async () => {
    const tensor = Tensor.fromArray("int32", [1], [1]);
    using value = Value.fromTensor(tensor);
    const copy = await value.toTensor();
    const view = await value.toTensor({ copy: false });
    tensor.data[0] = 2;
    expect([copy.data[0], view.data[0]]).toEqual([1, 2]);
  });
});

describe("Value.dispose()", () => {
  it("makes every later use an error, and may be called again", async () => {
    const value = Value.allocate("float32", [1]);
    value.dispose();
    value.dispose();
    expect(value.isDisposed).toBe(true);
    await expect(value.toTensor()).rejects.toThrow(code("TENSOR_VALUE_DISPOSED"));
  });

  it("is noticed when the buffer was transferred away instead", async () => {
    const tensor = Tensor.zeros("float32", [4]);
    using value = Value.fromTensor(tensor);
    structuredClone(tensor.data.buffer, { transfer: [tensor.data.buffer as ArrayBuffer] });
    await expect(value.toTensor()).rejects.toThrow(code("TENSOR_VALUE_DISPOSED"));
  });
});

function hasCuda(): boolean {
  loadRuntime();
  try {
    Value.allocate("float32", [1], "cuda").dispose();
    return true;
  } catch {
    return false;
  }
}

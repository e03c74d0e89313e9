import { describe, expect, it } from "vitest";
import { DTYPES, type DType } from "../dtype.ts";
import { Tensor } from "../tensor.ts";
import { deviceMemory } from "./device-memory.ts";
import { loadRuntime } from "./library.ts";
import { adoptValue, holdValue, Value } from "./value.ts";

const dtypes = Object.keys(DTYPES) as DType[];
const runtime = loadRuntime();

/** Host → memory of the device → host, the way that values of every device but the CPU take. */
async function roundTrip(tensor: Tensor): Promise<Tensor> {
  const memory = deviceMemory(runtime, "cpu");
  const source = holdValue(Value.fromTensor(tensor), "test");
  const middle = memory.allocate(tensor.dtype, tensor.shape);
  memory.copy(tensor.dtype, source.pointer, middle);
  const target = Value.allocate(tensor.dtype, tensor.shape);
  await memory.copyAsync(tensor.dtype, middle, holdValue(target, "test").pointer);
  source.release();
  using _ = adoptValue(runtime, middle, "cpu");
  return target.toTensor();
}

describe("DeviceMemory", () => {
  it.each(dtypes)("returns %s as it came", async (dtype) => {
    const tensor = Tensor.fromArray(dtype, [2, 3], [0, 1, 1, 0, 1, 0]);
    expect((await roundTrip(tensor)).data).toEqual(tensor.data);
  });

  it("copies scalars and empty tensors", async () => {
    expect((await roundTrip(Tensor.fromArray("float32", [], [7]))).toNumbers()).toEqual([7]);
    expect((await roundTrip(Tensor.zeros("float32", [2, 0]))).shape).toEqual([2, 0]);
  });
});

describe("adoptValue()", () => {
  it("copies memory of the runtime out, so that the tensor outlives the value", async () => {
    const memory = deviceMemory(runtime, "cpu");
    const pointer = memory.allocate("int64", [2]);
    const source = Value.fromTensor(Tensor.fromArray("int64", [2], [5, -6]));
    memory.copy("int64", holdValue(source, "test").pointer, pointer);
    const value = adoptValue(runtime, pointer, "cpu");
    const tensor = await value.toTensor({ copy: false });
    value.dispose();
    expect([value.dtype, value.shape, tensor.toNumbers()]).toEqual(["int64", [2], [5, -6]]);
  });
});

// The conformance cases on a GPU; skipped, with the reason printed, where there is none.
import {
  adamW,
  compile,
  constantSchedule,
  createTrainer,
  dim,
  dropout,
  matmul,
  mean,
  mul,
  randomUniform,
  scalar,
  spec,
  sub,
  Tensor,
  TensorError,
  type Tracer,
  type TrainerOptions,
  trace,
} from "@flacuna/tensor";
import { randomTensor } from "@flacuna/tensor/testing";
import { describe, expect, it } from "vitest";
import { expectAgreement, forwardOnly, withGradient } from "../conformance/agreement.ts";
import { OPERATIONS } from "../conformance/cases.ts";

/** Why CUDA cannot be used here; undefined where it can. */
async function reasonAgainstCuda(): Promise<string | undefined> {
  try {
    const executable = await compile(
      trace((x) => mul(x, 2), [spec("float32", [])]),
      { device: "cuda" },
    );
    await executable.dispose();
    return undefined;
  } catch (error) {
    if (error instanceof TensorError && error.code === "TENSOR_DEVICE_UNAVAILABLE") return error.message;
    throw error;
  }
}

const reason = await reasonAgainstCuda();
if (reason !== undefined) process.stdout.write(`test:cuda is skipped: ${reason}\n`);

const args = (shapes: readonly (readonly number[])[], dtype: "float32" | "float16") =>
  shapes.map((shape, index) => randomTensor(shape, 11 + index, dtype));

describe.skipIf(reason !== undefined)("CUDA", () => {
  it.each(OPERATIONS)(
    "computes $name and its gradient in float32 like the interpreter",
    async (operation) => {
      const program = withGradient(operation, "float32");
      await expectAgreement(program, args(operation.shapes, "float32"), { dtype: "float32", device: "cuda" });
    },
  );

  it.each(OPERATIONS)("computes $name in float16 like the interpreter", async (operation) => {
    const program = forwardOnly(operation, "float16");
    await expectAgreement(program, args(operation.shapes, "float16"), { dtype: "float16", device: "cuda" });
  });

  it("draws the same random numbers as the interpreter", async () => {
    const program = trace(
      (x, seed) => [randomUniform(seed, 2, x), dropout(x, { rate: 0.3, seed, stream: 1 })],
      [spec("float32", [40, 50]), spec("int64", [])],
    );
    const inputs = [randomTensor([40, 50], 1, "float32"), scalar(12345, "int64")];
    await expectAgreement(program, inputs, { dtype: "float32", device: "cuda" });
  });

  it("trains as the CPU does", async () => {
    const error = (w: Tracer, { x, y }: { x: Tracer; y: Tracer }) => sub(matmul(x, w), y);
    const N = dim("N");
    const options = {
      loss: (w: Tracer, batch: { x: Tracer; y: Tracer }) => mean(mul(error(w, batch), error(w, batch))),
      batch: { x: spec("float32", [N, 3]), y: spec("float32", [N, 1]) },
      parameters: Tensor.zeros("float32", [3, 1]),
      optimizer: adamW(),
      schedule: constantSchedule(0.1),
      maxGradNorm: 1,
    } satisfies TrainerOptions;
    const batch = { x: randomTensor([8, 3], 1, "float32"), y: randomTensor([8, 1], 2, "float32") };
    const losses = async (device: "cpu" | "cuda") => {
      const trainer = await createTrainer({ ...options, device });
      const found = [];
      for (let step = 0; step < 10; step++) found.push((await trainer.train([batch])).loss);
      await trainer.dispose();
      return found;
    };
    const [cpu, cuda] = [await losses("cpu"), await losses("cuda")];
    for (const [step, loss] of cuda.entries()) expect(loss).toBeCloseTo(cpu[step]!, 4);
  });
});

// Logits of the base in one precision, and how far they are from float32's.
import { llamaLogits, llamaParameterShapes } from "@flacuna/model";
import {
  compile,
  type Precision,
  spec,
  Tensor,
  type Tracer,
  trace,
  type Value,
  weight,
} from "@flacuna/tensor";
import type { PrecisionSetup } from "./precision-setup.ts";

/**
 * The logits [T · V] of the first held-out row, without an adapter. int8 is left out: what it rounds is the rotated
 * checkpoint, which only training makes.
 */
export async function logitsOf(
  setup: PrecisionSetup,
  precision: Exclude<Precision, "int8">,
): Promise<Float32Array> {
  const { config, weights, threads } = setup;
  const shapes = llamaParameterShapes(config);
  const parameter = (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
  const row = firstRow(setup);
  const program = trace(
    (inputIds: Tracer) => llamaLogits(config, parameter, { inputIds }),
    [spec("int64", row.shape)],
  );
  const executable = await compile(program, {
    weights,
    precision,
    ...(threads !== undefined && { threads }),
  });
  const value = (await executable.run([row])) as Value;
  const logits = ((await value.toTensor()).data as Float32Array).slice();
  value.dispose();
  await executable.dispose();
  return logits;
}

/** [1, T] */
function firstRow({ heldOutBatches }: PrecisionSetup): Tensor {
  const { shape, data } = heldOutBatches[0]!.inputIds;
  const length = shape[1]!;
  return new Tensor("int64", [1, length], (data as BigInt64Array<ArrayBuffer>).slice(0, length));
}

/** |got − expected| / |expected|, both as one vector. */
export function relativeDistance(got: Float32Array, expected: Float32Array): number {
  let [difference, length] = [0, 0];
  for (const [index, value] of expected.entries()) {
    difference += (got[index]! - value) ** 2;
    length += value ** 2;
  }
  return Math.sqrt(difference / length);
}

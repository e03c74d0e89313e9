// Fold an adapter into base weights and take it out again, tensor by tensor: two models are never held.
import {
  add,
  bfloat16ToFloat32,
  compile,
  dim,
  type Executable,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
  matmul,
  mul,
  spec,
  Tensor,
  trace,
  type Value,
} from "@flacuna/tensor";
import { type Adapter, fitAdapter, type LoraPair, type ParameterShapes } from "./adapter.ts";
import { scalingOf } from "./config.ts";
import { LoraError } from "./errors.ts";

/** W + scale · B·A in float32, whatever the shape. */
const traceMerge = () => {
  const [O, I, R] = [dim("O"), dim("I"), dim("R")];
  return trace(
    (weight, A, B, scale) => add(weight, mul(matmul(B, A), scale)),
    [spec("float32", [O, I]), spec("float32", [R, I]), spec("float32", [O, R]), spec("float32", [])],
  );
};

/** Merges the tensors of one adapter. Dispose it when done. */
export class Merger {
  private readonly adapter: Adapter;
  private readonly executable: Executable;

  /** Use `createMerger`. */
  constructor(adapter: Adapter, executable: Executable) {
    this.adapter = adapter;
    this.executable = executable;
  }

  /** W + s·B·A for a weight the adapter has factors for; other weights come back as they are. Keeps the weight's dtype. */
  async merge(path: string, weight: Tensor): Promise<Tensor> {
    return this.apply(path, weight, 1);
  }

  /** W − s·B·A: undoes `merge`, to rounding. */
  async unmerge(path: string, weight: Tensor): Promise<Tensor> {
    return this.apply(path, weight, -1);
  }

  private async apply(path: string, weight: Tensor, sign: 1 | -1): Promise<Tensor> {
    const factors = this.adapter.tensors[path.replace(/\.weight$/, "")];
    if (factors === undefined) return weight;
    checkShapes(path, weight, factors);
    const scale = Tensor.fromArray("float32", [], [sign * scalingOf(this.adapter.config)]);
    const result = (await this.executable.run([widen(weight), factors.A, factors.B, scale])) as Value;
    const merged = await result.toTensor();
    result.dispose();
    return narrow(merged, weight.dtype);
  }

  /** Frees the compiled product. */
  async dispose(): Promise<void> {
    await this.executable.dispose();
  }
}

/** Conversions of the dtypes that weights are stored in. */
const WIDE = { float16: float16ToFloat32, bfloat16: bfloat16ToFloat32 } as const;
const NARROW = { float16: float32ToFloat16, bfloat16: float32ToBfloat16 } as const;

function widen({ dtype, shape, data }: Tensor): Tensor {
  if (dtype === "float32") return new Tensor(dtype, shape, data as Float32Array<ArrayBuffer>);
  if (dtype === "float16" || dtype === "bfloat16")
    return new Tensor("float32", shape, WIDE[dtype](data as Uint16Array));
  throw new LoraError("LORA_UNSUPPORTED", `merge: weights are float32, float16 or bfloat16, got ${dtype}`);
}

const narrow = (tensor: Tensor, dtype: Tensor["dtype"]): Tensor =>
  dtype === "float16" || dtype === "bfloat16"
    ? new Tensor(dtype, tensor.shape, NARROW[dtype](tensor.data as Float32Array))
    : tensor;

function checkShapes(path: string, weight: Tensor, { A, B }: LoraPair<Tensor>): void {
  const expected = `${B.shape[0]},${A.shape[1]}`;
  if (String(weight.shape) !== expected) {
    throw new LoraError(
      "LORA_SHAPE_MISMATCH",
      `merge: ${path} is [${weight.shape}], the adapter is for [${expected}]`,
    );
  }
}

/**
 * A merger for an adapter.
 *
 * @param parameters the shapes of the model to merge into
 * @throws LoraError `LORA_SHAPE_MISMATCH` when the adapter is for another model
 */
export async function createMerger(adapter: Adapter, parameters: ParameterShapes): Promise<Merger> {
  return new Merger(fitAdapter(adapter, parameters), await compile(traceMerge()));
}

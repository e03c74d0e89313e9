// Fold an adapter into base weights and take it out again, tensor by tensor: two models are never held.
import {
  add,
  compile,
  dim,
  type Executable,
  matmul,
  mul,
  spec,
  Tensor,
  trace,
  type Value,
} from "@flacuna/tensor";
import type { Adapter, LoraPair } from "./adapter.ts";
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
    const wide = Tensor.fromArray("float32", weight.shape, toFloat32(weight));
    const result = (await this.executable.run([wide, factors.A, factors.B, scale])) as Value;
    const merged = await result.toTensor();
    const narrow = Tensor.fromArray(weight.dtype, weight.shape, merged.data as Float32Array);
    result.dispose();
    return narrow;
  }

  /** Frees the compiled product. */
  async dispose(): Promise<void> {
    await this.executable.dispose();
  }
}

const toFloat32 = (tensor: Tensor): ArrayLike<number> =>
  tensor.dtype === "float32" ? (tensor.data as Float32Array) : tensor.toNumbers();

function checkShapes(path: string, weight: Tensor, { A, B }: LoraPair<Tensor>): void {
  const expected = `${B.shape[0]},${A.shape[1]}`;
  if (String(weight.shape) !== expected) {
    throw new LoraError(
      "LORA_SHAPE_MISMATCH",
      `merge: ${path} is [${weight.shape}], the adapter is for [${expected}]`,
    );
  }
}

/** A merger for an adapter. */
export async function createMerger(adapter: Adapter): Promise<Merger> {
  return new Merger(adapter, await compile(traceMerge()));
}

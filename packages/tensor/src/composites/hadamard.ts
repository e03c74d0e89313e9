// The Hadamard matrix of order 64 over runs of columns, which spreads outliers before rows are quantised.
import type { Composite } from "../composite.ts";
import type { DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import { kernel } from "../onnx/kernel.ts";
import { constant, matmul, reshape } from "../ops.ts";
import { formatShape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { bindComposite, type Tracer } from "../trace.ts";

const ORDER = 64;

const matrices = new Map<DType, Tensor>();

/** Sylvester's matrix times 1/8, which makes it orthogonal: ± by the parity of the bits that row and column share. */
function hadamardMatrix(dtype: DType): Tensor {
  const known = matrices.get(dtype);
  if (known !== undefined) return known;
  const entries = Array.from({ length: ORDER * ORDER }, (_, at) => {
    let shared = Math.floor(at / ORDER) & (at % ORDER);
    let entry = 1 / Math.sqrt(ORDER);
    for (; shared > 0; shared &= shared - 1) entry = -entry;
    return entry;
  });
  const matrix = Tensor.fromArray(dtype, [ORDER, ORDER], entries);
  matrices.set(dtype, matrix);
  return matrix;
}

const HADAMARD: Composite = {
  name: "hadamard",
  // x [..., C] → y [..., C]
  define([x]) {
    const { dtype, shape } = x!;
    const runs = reshape(x!, [...shape.slice(0, -1), (shape.at(-1) as number) / ORDER, ORDER]);
    return [reshape(matmul(runs, constant(hadamardMatrix(dtype))), shape)];
  },
  // The matrix is symmetric.
  pullback([g]) {
    return [g && hadamard(g)];
  },
  lower: kernel("Hadamard"),
};

/**
 * Each run of 64 columns times the symmetric orthogonal Hadamard matrix of order 64 (entries ±1/8, Sylvester's order).
 * It is its own inverse.
 *
 * @param x [..., C], a floating dtype, C a multiple of 64
 * @throws TensorError `TENSOR_SHAPE_MISMATCH`
 * @see Ashkboos et al. 2024 (QuaRot), section 4
 */
export function hadamard(x: Tracer): Tracer {
  const width = x.shape.at(-1);
  if (typeof width !== "number" || width % ORDER !== 0) {
    throw new TensorError(
      "TENSOR_SHAPE_MISMATCH",
      `hadamard: x is ${formatShape(x.shape)}, expected a last axis that is a multiple of ${ORDER}`,
    );
  }
  return bindComposite(HADAMARD, [x])[0]!;
}

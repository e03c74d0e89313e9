// Products with the rotation inside a program, factor by factor: the rotation's small matrices are named constants of the
// rotated weights.
import { type Dim, matmul, mul, mulDims, reshape, Tensor, type Tracer, weight } from "@flacuna/tensor";
import { hadamardMatrix, type Orthogonal } from "./rotate-orthogonal.ts";

/** Brings the factors of an adapter's update B · A from the checkpoint's coordinates to those of a rotated projection. */
export interface Coordinates {
  /** A [R, in], which reads the projection's input. */
  toInput(A: Tracer): Tracer;
  /** B [out, R], which writes its output. */
  toOutput(B: Tracer): Tracer;
}

/** The constant [size] that holds R's signs. */
export const SIGNS = "rotation.signs";
const MIX = "rotation.mix";
const hadamardPath = (size: number): string => `rotation.hadamard.${size}`;

/** Hadamard matrices up to this size are multiplied as they are, larger ones as products of small ones. */
const LARGEST_FACTOR = 64;

/** The sizes of Hadamard matrices whose Kronecker product is the one of `blockSize`. */
function hadamardFactors(blockSize: number): number[] {
  const bits = Math.log2(blockSize);
  const parts = Math.ceil(bits / Math.log2(LARGEST_FACTOR));
  return Array.from(
    { length: parts },
    (_, i) => 2 ** (Math.floor(((i + 1) * bits) / parts) - Math.floor((i * bits) / parts)),
  );
}

/**
 * The constants that the functions below mention, and R's signs, by path. Matrices have an axis of length one in front:
 * they are no projections, and precision policies, which look for weights of two axes, leave them alone.
 */
export function rotationConstants(R: Orthogonal): Map<string, Tensor> {
  const constants = new Map([[SIGNS, Tensor.fromArray("float32", [R.size], R.signs)]]);
  if (R.mix !== undefined) {
    const blocks = R.size / R.blockSize;
    constants.set(MIX, Tensor.fromArray("float32", [1, blocks, blocks], R.mix));
  }
  for (const factor of hadamardFactors(R.blockSize)) {
    constants.set(hadamardPath(factor), new Tensor("float32", [1, factor, factor], hadamardMatrix(factor)));
  }
  return constants;
}

/**
 * A · diag(scale) · (mix ⊗ H), for a projection that reads the residual stream.
 *
 * @param scale [C]: R's signs, times the gain of the norm that the stream is read through
 */
export const readResidual = (A: Tracer, R: Orthogonal, scale: Tracer): Tracer =>
  kronecker(mul(A, scale), R, { outer: A.shape[0]!, inner: 1 });

/**
 * (mix ⊗ H)ᵀ · diag(scale) · B, for a projection that writes to the residual stream.
 *
 * @param scale [C]: R's signs
 */
export const writeResidual = (B: Tracer, R: Orthogonal, scale: Tracer): Tracer =>
  kronecker(mul(B, reshape(scale, [R.size, 1])), R, { outer: 1, inner: B.shape[1]! });

/** x seen as [outer, R.size, inner], its middle axis multiplied by (mix ⊗ H)ᵀ, factor by factor. */
function kronecker(
  x: Tracer,
  R: Orthogonal,
  { outer, inner }: { readonly outer: Dim; readonly inner: Dim },
): Tracer {
  const blocks = R.size / R.blockSize;
  const mix = R.mix && mixMatrix(blocks, x);
  let y = mix ? multiplyMiddle(x, mix, [outer, blocks, mulDims(R.blockSize, inner)]) : x;
  let before = blocks;
  let after = R.blockSize;
  for (const factor of hadamardFactors(R.blockSize)) {
    after /= factor;
    y = multiplyMiddle(y, hadamard(factor, x), [mulDims(outer, before), factor, mulDims(after, inner)]);
    before *= factor;
  }
  return reshape(y, x.shape);
}

/** x seen as [before, n, after], its middle axis multiplied by Mᵀ; M is [1, n, n]. */
function multiplyMiddle(x: Tracer, M: Tracer, [before, n, after]: readonly [Dim, number, Dim]): Tracer {
  // One product of many rows where nothing comes after, rather than many products of one column.
  if (after === 1) return matmul(reshape(x, [1, before, n]), M);
  return matmul(M, reshape(x, [before, n, after]), { transposeA: true });
}

const hadamard = (size: number, { dtype }: Tracer): Tracer =>
  weight(hadamardPath(size), { dtype, shape: [1, size, size] });

const mixMatrix = (blocks: number, { dtype }: Tracer): Tracer =>
  weight(MIX, { dtype, shape: [1, blocks, blocks] });

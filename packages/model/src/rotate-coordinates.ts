// What an adapter needs to keep the checkpoint's coordinates on a rotated model: its factors, multiplied inside the
// program by the rotation's small matrices, which are named constants of the rotated weights.
import { matmul, mul, reshape, Tensor, type Tracer, weight } from "@flacuna/tensor";
import { hadamardMatrix, type Orthogonal } from "./rotate-orthogonal.ts";

/** Brings the factors of an adapter's update B · A from the checkpoint's coordinates to those of a rotated projection. */
export interface Coordinates {
  /** A [R, in], which reads the projection's input. */
  toInput(A: Tracer): Tracer;
  /** B [out, R], which writes its output. */
  toOutput(B: Tracer): Tracer;
}

/** Names of the rotation's constants among the rotated weights. */
const SIGNS = "rotation.signs";
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
 * The constants that the functions below mention, by path. Matrices have an axis of length one in front: they are no
 * projections, and precision policies, which look for weights of two axes, leave them alone.
 *
 * @param R the rotation of the residual stream
 * @param H the blocks before `down_proj`, where there are any
 */
export function rotationConstants(R: Orthogonal, H: Orthogonal | undefined): Map<string, Tensor> {
  const constants = new Map([[SIGNS, Tensor.fromArray("float32", [R.size, 1], R.signs)]]);
  if (R.mix !== undefined) {
    const blocks = R.size / R.blockSize;
    constants.set(MIX, Tensor.fromArray("float32", [1, blocks, blocks], R.mix));
  }
  for (const factor of [R, H].flatMap((matrix) => (matrix ? hadamardFactors(matrix.blockSize) : []))) {
    constants.set(hadamardPath(factor), new Tensor("float32", [1, factor, factor], hadamardMatrix(factor)));
  }
  return constants;
}

/**
 * (A ∘ gain) · R, for a projection that reads the residual stream through a norm.
 *
 * @param gainPath the constant [C] that holds the norm's gain times R's signs
 */
export function readResidual(A: Tracer, R: Orthogonal, gainPath: string): Tracer {
  const gain = weight(gainPath, { dtype: A.dtype, shape: [R.size] });
  return kronecker(mul(A, gain), R, { outer: A.shape[0] as number, inner: 1 });
}

/** Rᵀ · B, for a projection that writes to the residual stream. */
export function writeResidual(B: Tracer, R: Orthogonal): Tracer {
  const signs = weight(SIGNS, { dtype: B.dtype, shape: [R.size, 1] });
  return kronecker(mul(B, signs), R, { outer: 1, inner: B.shape[1] as number });
}

/** A · H, for a projection whose input is multiplied by blocks of a Hadamard matrix. */
export const readBlocks = (A: Tracer, H: Orthogonal): Tracer =>
  kronecker(A, H, { outer: A.shape[0] as number, inner: 1 });

/** x seen as [outer, Q.size, inner], its middle axis multiplied by (mix ⊗ H)ᵀ, factor by factor. */
function kronecker(
  x: Tracer,
  Q: Orthogonal,
  { outer, inner }: { readonly outer: number; readonly inner: number },
): Tracer {
  const blocks = Q.size / Q.blockSize;
  const mix = Q.mix && mixMatrix(blocks, x);
  let y = mix ? multiplyMiddle(x, mix, [outer, blocks, Q.blockSize * inner]) : x;
  let before = outer * blocks;
  let after = Q.blockSize * inner;
  for (const factor of hadamardFactors(Q.blockSize)) {
    after /= factor;
    y = multiplyMiddle(y, hadamard(factor, x), [before, factor, after]);
    before *= factor;
  }
  return reshape(y, x.shape);
}

/** x seen as [before, n, after], its middle axis multiplied by Mᵀ; M is [1, n, n]. */
function multiplyMiddle(x: Tracer, M: Tracer, [before, n, after]: readonly [number, number, number]): Tracer {
  // One product of many rows where nothing comes after, rather than many products of one column.
  if (after === 1) return matmul(reshape(x, [1, before, n]), M);
  return matmul(M, reshape(x, [before, n, after]), { transposeA: true });
}

const hadamard = (size: number, { dtype }: Tracer): Tracer =>
  weight(hadamardPath(size), { dtype, shape: [1, size, size] });

const mixMatrix = (blocks: number, { dtype }: Tracer): Tracer =>
  weight(MIX, { dtype, shape: [1, blocks, blocks] });

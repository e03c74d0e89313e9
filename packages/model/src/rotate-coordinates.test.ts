import { dim, evaluate, randomNormal, spec, Tensor, type Tracer, trace } from "@flacuna/tensor";
import { describe, expect, it } from "vitest";
import { denseOrthogonal } from "./fixtures/dense-orthogonal.ts";
import { readResidual, rotationConstants, writeResidual } from "./rotate-coordinates.ts";
import { type Orthogonal, randomOrthogonal } from "./rotate-orthogonal.ts";

const random = (seed: number, shape: readonly number[]): Tensor =>
  Tensor.fromArray(
    "float32",
    shape,
    randomNormal(
      seed,
      shape.reduce((a, b) => a * b, 1),
    ),
  );

/** The function's result for x, whose other axis than `axis` is given a name, and the dense matrix without its signs. */
function run(
  apply: (x: Tracer, R: Orthogonal, scale: Tracer) => Tracer,
  R: Orthogonal,
  axis: 0 | 1,
): { x: Tensor; scale: Tensor; M: number[][]; result: number[] } {
  const [x, scale] = [random(1, axis === 0 ? [R.size, 5] : [5, R.size]), random(2, [R.size])];
  const named = x.shape.map((size, each) => (each === axis ? size : dim("N")));
  const program = trace((a, b) => apply(a, R, b), [spec("float32", named), spec("float32", [R.size])]);
  const result = (evaluate(program, [x, scale], rotationConstants(R)) as Tensor).toNumbers();
  return { x, scale, M: denseOrthogonal({ ...R, signs: R.signs.map(() => 1) }), result };
}

const largest = (values: readonly number[]): number => Math.max(...values.map(Math.abs));

/** A block and several, a product of two Hadamard matrices, an odd size. */
const ROTATIONS = [16, 24, 128, 9].map((size) => [size, randomOrthogonal(size, 3)] as const);

describe("readResidual()", () => {
  it.each(ROTATIONS)("multiplies rows of %i by the scale and the matrix, however many", (_, R) => {
    const { x, scale, M, result } = run(readResidual, R, 1);
    const [X, s] = [x.toNumbers(), scale.toNumbers()];
    const differences = result.map((value, at) => {
      const row = Math.floor(at / R.size) * R.size;
      return M.reduce((sum, each, k) => sum + X[row + k]! * s[k]! * each[at % R.size]!, -value);
    });
    expect(largest(differences)).toBeLessThan(2e-6);
  });
});

describe("writeResidual()", () => {
  it.each(ROTATIONS)("multiplies columns of %i by the scale and the transposed matrix", (_, R) => {
    const { x, scale, M, result } = run(writeResidual, R, 0);
    const [X, s] = [x.toNumbers(), scale.toNumbers()];
    const differences = result.map((value, at) => {
      const [row, column] = [Math.floor(at / 5), at % 5];
      return M.reduce((sum, each, k) => sum + each[row]! * s[k]! * X[k * 5 + column]!, -value);
    });
    expect(largest(differences)).toBeLessThan(2e-6);
  });
});

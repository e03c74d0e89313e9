// Check arguments against a program's inputs and bind its named sizes. Shared by every executor.
import type { DType } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import type { NamedVar } from "./program.ts";
import { type Dim, evaluateDim, formatShape, namesIn, SymbolicDim } from "./shape.ts";

/** What is known of an argument before it is used. */
export interface Concrete {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * The size of every named dimension, read from the arguments.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` (count), `TENSOR_DTYPE_MISMATCH`, `TENSOR_SHAPE_MISMATCH`
 */
export function bindSizes(inputs: readonly NamedVar[], args: readonly Concrete[]): Map<string, number> {
  checkCount(inputs, args);
  const sizes = new Map<string, number>();
  inputs.forEach(({ path, variable }, index) => {
    const arg = args[index]!;
    if (arg.dtype !== variable.dtype) {
      throw new TensorError(
        "TENSOR_DTYPE_MISMATCH",
        `argument ${path}: expected ${variable.dtype}, got ${arg.dtype}`,
      );
    }
    for (const [axis, size] of variable.shape.entries()) bindName(sizes, size, arg.shape[axis]);
  });
  for (const [index, { path, variable }] of inputs.entries()) {
    checkShape(path, variable.shape, args[index]!.shape, sizes);
  }
  return sizes;
}

/** @throws TensorError `TENSOR_INVALID_ARGUMENT` unless there is an argument for each input */
export function checkCount(inputs: readonly NamedVar[], args: readonly unknown[]): void {
  if (args.length === inputs.length) return;
  throw new TensorError("TENSOR_INVALID_ARGUMENT", `expected ${inputs.length} arguments, got ${args.length}`);
}

function bindName(sizes: Map<string, number>, size: Dim, actual: number | undefined): void {
  if (
    size instanceof SymbolicDim &&
    actual !== undefined &&
    /^\w+$/.test(size.text) &&
    !sizes.has(size.text)
  ) {
    sizes.set(size.text, actual);
  }
}

function checkShape(
  path: string,
  expected: readonly Dim[],
  actual: readonly number[],
  sizes: ReadonlyMap<string, number>,
): void {
  const fits =
    expected.length === actual.length &&
    expected.every(
      (size, axis) =>
        namesIn(size).every((name) => sizes.has(name)) && evaluateDim(size, sizes) === actual[axis],
    );
  if (fits) return;
  const bound = [...sizes].map(([name, value]) => `${name}=${value}`).join(", ");
  throw new TensorError(
    "TENSOR_SHAPE_MISMATCH",
    `argument ${path}: expected ${formatShape(expected)}${bound === "" ? "" : ` with ${bound}`}, got ${formatShape(actual)}`,
  );
}

// The check of an operand's shape, for composites of several operands.
import { TensorError } from "../errors.ts";
import { formatShape, type Shape, shapesEqual } from "../shape.ts";
import type { Tracer } from "../trace.ts";

/** @throws TensorError `TENSOR_SHAPE_MISMATCH` unless the operand `name` of the composite `where` has the shape */
export function expectShape(where: string, name: string, { shape }: Tracer, expected: Shape): void {
  if (shapesEqual(shape, expected)) return;
  const message = `${where}: ${name} is ${formatShape(shape)}, expected ${formatShape(expected)}`;
  throw new TensorError("TENSOR_SHAPE_MISMATCH", message);
}

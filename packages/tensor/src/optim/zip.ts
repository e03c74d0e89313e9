// Walk several trees of one structure together.
import { TensorError } from "../errors.ts";
import { isTracer, type Tracer } from "../trace.ts";
import { flatten } from "../tree.ts";

/**
 * The function's result for the leaves at each place of all trees, in the order of `flatten`.
 *
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` when the trees differ in structure
 */
export function zipTrees<Result>(
  trees: readonly unknown[],
  fn: (leaves: readonly Tracer[], path: string) => Result,
): Result[] {
  const entries = trees.map((tree) => flatten(tree, isTracer));
  const [first] = entries;
  return first!.map(({ path }, index) => {
    const row = entries.map((list) => list[index]);
    if (row.some((entry, n) => entry?.path !== path || entries[n]!.length !== first!.length)) {
      throw new TensorError("TENSOR_INVALID_ARGUMENT", `trees differ in structure at "${path}"`);
    }
    return fn(
      row.map((entry) => entry!.leaf),
      path,
    );
  });
}

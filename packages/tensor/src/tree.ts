// Flatten, rebuild and map over nested parameters (objects, arrays, leaves). Knows no tensor class.
import { TensorError } from "./errors.ts";

/** A leaf, or arrays and plain objects of trees. Maps are trees too: their keys are parameter paths. */
export type Tree<Leaf> = Leaf | readonly Tree<Leaf>[] | { readonly [key: string]: Tree<Leaf> };

/** The tree with every leaf of type `From` replaced by `To`. */
export type MapTree<T, From, To> = T extends From
  ? To
  : T extends readonly unknown[]
    ? { [K in keyof T]: MapTree<T[K], From, To> }
    : T extends object
      ? { [K in keyof T]: MapTree<T[K], From, To> }
      : never;

/** A leaf with its place in the tree, such as `0.layers.1.weight`. */
export interface Entry<Leaf> {
  readonly path: string;
  readonly leaf: Leaf;
}

const isBranch = (tree: unknown): tree is Record<string, unknown> | unknown[] =>
  Array.isArray(tree) ||
  (typeof tree === "object" && tree !== null && Object.getPrototypeOf(tree) === Object.prototype);

/**
 * The leaves in a fixed order: arrays by index, objects by insertion.
 *
 * @param isLeaf tells a leaf from a branch
 * @throws TensorError `TENSOR_INVALID_ARGUMENT` for anything that is neither leaf, array nor plain object
 */
export function flatten<Leaf>(
  tree: unknown,
  isLeaf: (value: unknown) => value is Leaf,
  path = "",
): Entry<Leaf>[] {
  if (isLeaf(tree)) return [{ path, leaf: tree }];
  if (!isBranch(tree)) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `${path || "tree"}: expected a leaf, array or object, got ${describe(tree)}`,
    );
  }
  return Object.entries(tree).flatMap(([key, child]) =>
    flatten(child, isLeaf, path === "" ? key : `${path}.${key}`),
  );
}

const describe = (value: unknown): string =>
  value === null ? "null" : typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value;

/** The tree with every leaf replaced, in the order of `flatten`. */
export function mapTree<Leaf, To>(
  tree: unknown,
  isLeaf: (value: unknown) => value is Leaf,
  replace: (leaf: Leaf, path: string) => To,
  path = "",
): unknown {
  if (isLeaf(tree)) return replace(tree, path);
  if (!isBranch(tree)) {
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `${path || "tree"}: expected a leaf, array or object, got ${describe(tree)}`,
    );
  }
  const child = (key: string, value: unknown) =>
    mapTree(value, isLeaf, replace, path === "" ? key : `${path}.${key}`);
  if (Array.isArray(tree)) return tree.map((value, index) => child(String(index), value));
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, child(key, value)]));
}

// How far results are from golden values, and running a program once; knows no model.
import { compile, mapTree, type Program, Tensor, Value, type WeightSource } from "@flacuna/tensor";
import { relativeError, TOLERANCES } from "@flacuna/tensor/testing";

/** Largest accepted difference: |got − expected| / (1 + |expected|) for values, over the tensor's largest for gradients. */
export const TOLERANCE = TOLERANCES.float32;

/** The tensors that are further than the tolerance from what is expected, with their error. */
export function mismatches(
  got: Readonly<Record<string, Tensor>>,
  expected: (name: string) => Tensor,
  error: (got: Tensor, expected: Tensor) => number = relativeError,
): Record<string, number> {
  const errors = Object.entries(got).map(([name, tensor]) => [name, error(tensor, expected(name))] as const);
  return Object.fromEntries(errors.filter(([, each]) => !(each <= TOLERANCE)));
}

/** The largest |got − expected| over the largest |expected|: small gradients are not lost beside 1. */
export function scaledError(got: Tensor, expected: Tensor): number {
  const [a, b] = [got.toNumbers(), expected.toNumbers()];
  if (String(got.shape) !== String(expected.shape)) return Number.POSITIVE_INFINITY;
  const largest = b.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  return a.reduce((most, each, index) => Math.max(most, Math.abs(each - b[index]!)), 0) / largest;
}

/** The largest |got − expected| / (1 + |expected|) of two lists of numbers; infinite when they differ in length. */
export function worstError(got: readonly number[], expected: readonly number[]): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  const list = (numbers: readonly number[]) => Tensor.fromArray("float64", [numbers.length], numbers);
  return relativeError(list(got), list(expected));
}

const isValue = (leaf: unknown): leaf is Value => leaf instanceof Value;

/** A tree of values as tensors on the host; the values are disposed. */
export async function toTensors(tree: unknown): Promise<unknown> {
  const values: Value[] = [];
  mapTree(tree, isValue, (value) => values.push(value));
  const tensors = await Promise.all(values.map((value) => value.toTensor()));
  for (const value of values) value.dispose();
  let next = 0;
  return mapTree(tree, isValue, () => tensors[next++]!);
}

/** The results of a program compiled for one run on one thread of the CPU. */
export async function runOnce(
  program: Program,
  args: readonly unknown[],
  weights?: WeightSource,
): Promise<unknown> {
  const executable = await compile(program, { threads: 1, ...(weights && { weights }) });
  const outputs = await toTensors(await executable.run(args));
  await executable.dispose();
  return outputs;
}

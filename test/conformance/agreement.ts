// Holds a device to the interpreter: the same program, the same arguments, every output in dtype, shape and value.
import {
  add,
  type CompileOptions,
  compile,
  constant,
  type DType,
  evaluate,
  flatten,
  isTensor,
  isTracer,
  mul,
  type Program,
  spec,
  sum,
  type Tensor,
  type Tracer,
  trace,
  Value,
  vjp,
} from "@flacuna/tensor";
import { relativeError, TOLERANCES } from "@flacuna/tensor/testing";
import { expect } from "vitest";
import type { OperationCase } from "./cases.ts";

async function runCompiled(
  program: Program,
  args: readonly unknown[],
  options: CompileOptions,
): Promise<Tensor[]> {
  const executable = await compile(program, options);
  const values = flatten(await executable.run(args), (leaf): leaf is Value => leaf instanceof Value);
  const tensors = await Promise.all(values.map(({ leaf }) => leaf.toTensor()));
  await executable.dispose();
  return tensors;
}

/** Fails unless the device gives what the interpreter gives, within the tolerance of `dtype`. */
export async function expectAgreement(
  program: Program,
  args: readonly unknown[],
  { dtype, ...options }: { readonly dtype: DType } & CompileOptions,
): Promise<void> {
  const expected = flatten(evaluate(program, args), isTensor).map(({ leaf }) => leaf);
  const got = await runCompiled(program, args, options);
  expect(got.map(({ dtype: each }) => each)).toEqual(expected.map(({ dtype: each }) => each));
  for (const [index, tensor] of got.entries()) {
    expect(relativeError(tensor, expected[index]!)).toBeLessThanOrEqual(TOLERANCES[dtype]);
  }
}

/** An operation with the gradient of its squares' sum. */
export function withGradient({ fn, shapes }: OperationCase, dtype: DType): Program {
  const computed = (...tracers: Tracer[]) => {
    const { result, pullback } = vjp((at: readonly Tracer[]) => {
      const leaves = flatten(fn(...at), isTracer);
      return leaves.map(({ leaf }) => sum(mul(leaf, leaf))).reduce((a, b) => add(a, b));
    }, tracers);
    return { outputs: fn(...tracers), gradient: pullback(result, constant(1, dtype)) };
  };
  return trace(
    computed,
    shapes.map((shape) => spec(dtype, shape)),
  );
}

/** An operation alone. */
export const forwardOnly = ({ fn, shapes }: OperationCase, dtype: DType): Program =>
  trace(
    (...tracers: Tracer[]) => ({ outputs: fn(...tracers) }),
    shapes.map((shape) => spec(dtype, shape)),
  );

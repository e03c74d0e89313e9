// Turn a function of tracers into a program. The only place with ambient state.

import type { Composite, TensorSpec } from "./composite.ts";
import type { DType } from "./dtype.ts";
import { TensorError } from "./errors.ts";
import type { PrimitiveName, PrimitiveParams } from "./primitive.ts";
import type { Equation, NamedVar, Program, Var } from "./program.ts";
import { inferOutputs } from "./rules/shape.ts";
import { formatShape, type Shape, shapesEqual } from "./shape.ts";
import { simplify } from "./simplify.ts";
import { flatten, type MapTree, mapTree } from "./tree.ts";

/** A value of the program being traced; stands for a tensor whose elements are not known yet. */
export class Tracer implements Var {
  readonly id: number;
  readonly dtype: DType;
  readonly shape: Shape;
  /** The trace it belongs to. */
  readonly builder: Builder;

  constructor(builder: Builder, id: number, dtype: DType, shape: Shape) {
    this.builder = builder;
    this.id = id;
    this.dtype = dtype;
    this.shape = shape;
  }
}

/** The program under construction. */
export class Builder {
  readonly equations: Equation[] = [];
  /** Named constants met so far: a path is read once. */
  readonly weights = new Map<string, Tracer>();
  /** For the equations of checkpointed functions: all equations of the function; see `checkpoint`. */
  readonly segments = new Map<Equation, readonly Equation[]>();
  private nextId = 0;

  newTracer({ dtype, shape }: TensorSpec): Tracer {
    return new Tracer(this, this.nextId++, dtype, shape);
  }
}

let current: Builder | undefined;

/**
 * The trace in progress.
 *
 * @throws TensorError `TENSOR_TRACE_MISUSE` outside of `trace`
 */
export function currentBuilder(where: string): Builder {
  if (current === undefined) {
    throw new TensorError(
      "TENSOR_TRACE_MISUSE",
      `${where}: called outside of trace(); wrap the computation in trace(fn, specs)`,
    );
  }
  return current;
}

/** dtype and shape of a program's argument. */
export const spec = (dtype: DType, shape: Shape): TensorSpec => ({ dtype, shape });

/** Whether a leaf of an argument tree is a `TensorSpec`. */
export const isTensorSpec = (value: unknown): value is TensorSpec =>
  typeof value === "object" &&
  value !== null &&
  "dtype" in value &&
  "shape" in value &&
  Array.isArray(value.shape);

/** Whether a leaf of a tree is a `Tracer`. */
export const isTracer = (value: unknown): value is Tracer => value instanceof Tracer;

type Traced<T> = MapTree<T, TensorSpec, Tracer>;

/** A program as it is traced, in one go or in several. */
export class Tracing<const Specs extends readonly unknown[]> {
  /** `specs` with a tracer for each. */
  readonly args: { [K in keyof Specs]: Traced<Specs[K]> };
  readonly #builder = new Builder();
  readonly #inputs: NamedVar[] = [];

  /** @param specs one tree of `TensorSpec` per argument */
  constructor(specs: Specs) {
    this.args = mapTree(specs, isTensorSpec, (leaf, path) => {
      const variable = this.#builder.newTracer(leaf);
      this.#inputs.push({ path, variable });
      return variable;
    }) as typeof this.args;
  }

  /**
   * Records what `work` computes, which does not wait for anything.
   *
   * @throws TensorError `TENSOR_TRACE_MISUSE` when called inside another trace
   */
  record<T>(work: () => T): T {
    if (current !== undefined) {
      throw new TensorError(
        "TENSOR_TRACE_MISUSE",
        "trace: called inside another trace; call the function itself instead",
      );
    }
    current = this.#builder;
    try {
      return work();
    } finally {
      current = undefined;
    }
  }

  /** The program of all that was recorded, as it was recorded. */
  finish(result: unknown): Program {
    const outputs = flatten(result, isTracer).map(({ path, leaf }) => ({
      path,
      variable: checkTracer(leaf, "trace", this.#builder),
    }));
    const rebuildOutputs = (leaves: readonly unknown[]) => {
      let next = 0;
      return mapTree(result, isTracer, () => leaves[next++]);
    };
    return { inputs: this.#inputs, equations: this.#builder.equations, outputs, rebuildOutputs };
  }
}

/**
 * The program that a function computes.
 *
 * @param fn called once, with a tracer for every spec; returns a tree of tracers
 * @param specs one tree of `TensorSpec` per argument
 * @throws TensorError `TENSOR_TRACE_MISUSE` when called inside another trace
 * @example
 * const B = dim("B");
 * const program = trace((x, w) => matmul(x, w), [spec("float32", [B, 3]), spec("float32", [3, 2])]);
 */
export function trace<const Specs extends readonly unknown[]>(
  fn: (...args: { [K in keyof Specs]: Traced<Specs[K]> }) => unknown,
  specs: Specs,
): Program {
  const tracing = new Tracing(specs);
  return simplify(tracing.finish(tracing.record(() => fn(...tracing.args))));
}

/** The tracer, when it belongs to the trace in progress. */
function checkTracer(value: Tracer, where: string, builder = currentBuilder(where)): Tracer {
  if (value.builder !== builder) {
    throw new TensorError(
      "TENSOR_TRACE_MISUSE",
      `${where}: a tracer of another trace was used; pass values in as arguments`,
    );
  }
  return value;
}

/**
 * Records one equation and returns its outputs.
 *
 * @throws TensorError when the primitive's rule refuses the dtypes or shapes
 */
export function bind<P extends PrimitiveName>(
  primitive: P,
  inputs: readonly Tracer[],
  params: PrimitiveParams[P],
): readonly Tracer[] {
  const builder = currentBuilder(primitive);
  for (const input of inputs) checkTracer(input, primitive);
  const outputs = inferSpecs(primitive, inputs, params).map((output) => builder.newTracer(output));
  builder.equations.push({ primitive, inputs, params, outputs } as unknown as Equation);
  return outputs;
}

function inferSpecs<P extends PrimitiveName>(
  primitive: P,
  inputs: readonly TensorSpec[],
  params: PrimitiveParams[P],
): readonly TensorSpec[] {
  if (primitive !== "composite") return inferOutputs(primitive as "add", inputs, params);
  const { composite, attributes } = params as PrimitiveParams["composite"];
  return inferComposite(composite, inputs, attributes);
}

/** `bind` for a primitive of one output. */
export function bindOne<P extends PrimitiveName>(
  primitive: P,
  inputs: readonly Tracer[],
  params: PrimitiveParams[P],
): Tracer {
  return bind(primitive, inputs, params)[0]!;
}

/**
 * Uses a composite: traces its definition once to learn the outputs, and records it as one equation.
 * The definition stays reachable through the composite.
 */
export function bindComposite(
  composite: Composite,
  inputs: readonly Tracer[],
  attributes: Readonly<Record<string, number>> = {},
): readonly Tracer[] {
  return bind("composite", inputs, { composite, attributes });
}

/** Specs that were inferred before: the layers of a model use the same composites over and over. */
const inferred = new WeakMap<Composite, Map<string, readonly TensorSpec[]>>();

/** The outputs' specs of a composite, by tracing its definition aside. */
function inferComposite(
  composite: Composite,
  inputs: readonly TensorSpec[],
  attributes: Readonly<Record<string, number>>,
): readonly TensorSpec[] {
  const known = inferred.get(composite) ?? new Map<string, readonly TensorSpec[]>();
  inferred.set(composite, known);
  const operands = inputs.map(({ dtype, shape }) => dtype + formatShape(shape));
  const key = JSON.stringify([attributes, operands]);
  const outputs =
    known.get(key) ??
    expandComposite(composite, inputs, attributes).outputs.map(({ variable: { dtype, shape } }) =>
      spec(dtype, shape),
    );
  known.set(key, outputs);
  return outputs;
}

/** A composite's definition as a program of its own. */
export function expandComposite(
  composite: Composite,
  inputs: readonly TensorSpec[],
  attributes: Readonly<Record<string, number>>,
): Program {
  const outer = current;
  current = undefined;
  try {
    return trace(
      (...args) => composite.define(args as Tracer[], attributes),
      inputs.map(({ dtype, shape }) => spec(dtype, shape)),
    );
  } finally {
    current = outer;
  }
}

/**
 * Replays a program's equations into the trace in progress.
 *
 * @returns the tracer for each of the program's outputs
 */
export function inline(program: Program, inputs: readonly Tracer[]): Tracer[] {
  const values = new Map<number, Tracer>();
  program.inputs.forEach(({ variable, path }, index) => {
    const input = inputs[index]!;
    if (input.dtype !== variable.dtype || !shapesEqual(input.shape, variable.shape)) {
      throw new TensorError(
        "TENSOR_SHAPE_MISMATCH",
        `inline: input ${path} is ${variable.dtype}${formatShape(variable.shape)}, got ${input.dtype}${formatShape(input.shape)}`,
      );
    }
    values.set(variable.id, input);
  });
  for (const { primitive, inputs: operands, params, outputs } of program.equations) {
    const results = bind(
      primitive,
      operands.map(({ id }) => values.get(id)!),
      params as never,
    );
    for (const [index, { id }] of outputs.entries()) values.set(id, results[index]!);
  }
  return program.outputs.map(({ variable }) => values.get(variable.id)!);
}

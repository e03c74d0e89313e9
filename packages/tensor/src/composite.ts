// What a composite is: one operation with a definition in primitives, its own pullback and its own lowering.

import type { DType } from "./dtype.ts";
import type { Lowering } from "./onnx/lowering.ts";
import type { Equation } from "./program.ts";
import type { Shape } from "./shape.ts";
import type { Tracer } from "./trace.ts";

/** Numbers that configure one use of a composite, such as an epsilon. */
export type Attributes = Readonly<Record<string, number>>;

/** dtype and shape of a value. */
export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: Shape;
}

/**
 * An operation that is worth more than its primitives: the definition is the oracle, the pullback may use
 * what the forward kept, and the lowering may emit a fused operator where the device has one.
 */
export interface Composite {
  readonly name: string;
  /** The operation in primitives; defines its shapes and its values. */
  define(inputs: readonly Tracer[], attributes: Attributes): readonly Tracer[];
  /** Cotangents of the inputs; `undefined` where an input has none. Absent: differentiate the definition. */
  pullback?(
    cotangents: readonly (Tracer | undefined)[],
    inputs: readonly Tracer[],
    outputs: readonly Tracer[],
    attributes: Attributes,
  ): readonly (Tracer | undefined)[];
  /** Pairs of input and output that the fused operator may hold in one value, such as a cache it appends to. */
  readonly inPlace?: readonly (readonly [input: number, output: number])[];
  /** Emits a fused operator and returns true, or returns false to be lowered by its definition. */
  lower?(lowering: Lowering, equation: Extract<Equation, { primitive: "composite" }>): boolean;
}

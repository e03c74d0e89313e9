// Products with frozen weights of 8 or 4 bits, the rows rounded in blocks to values of one or two bytes: for generation, forward
// only. One operator may normalise or activate the rows first, and multiply them with up to three weights; `fuse` sees to that.
import type { Attributes, Composite } from "../composite.ts";
import type { Attribute } from "../onnx/lowering.ts";
import { add, div, matmul, mul, pad, reshape, slice } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";
import { hadamard } from "./hadamard.ts";
import { type Int8Weight, unpackInt8 } from "./int8-linear.ts";
import { BLOCK, type Int4Weight, unpackInt4 } from "./panel-linear.ts";
import { roundUp } from "./quantize-rows.ts";
import { rmsNorm } from "./rms-norm.ts";
import { inSteps, largestOfRows } from "./rounding.ts";
import { swiglu } from "./swiglu.ts";

/** Columns of a block of activations that meet weights of 8 bits. */
const INT8_BLOCK = 64;

/** Bytes that a value of the rows is rounded to. */
export type ValueBytes = 1 | 2;

/** The largest value of so many bytes: of two, the high one counts 128. */
const LARGEST: readonly number[] = [0, 127, 127 * 128];

/** What x [..., C] becomes when it is rounded with a scale for each block of columns. */
function roundInBlocks(x: Tracer, block: number, bytes: number): Tracer {
  const width = x.shape.at(-1) as number;
  const padded = pad(x, { axis: -1, before: 0, after: roundUp(width, block) - width });
  const blocks = reshape(padded, [...x.shape.slice(0, -1), roundUp(width, block) / block, block]);
  const scale = div(largestOfRows(blocks), LARGEST[bytes]!);
  return slice(reshape(mul(inSteps(blocks, scale), scale), padded.shape), { axis: -1, start: 0, end: width });
}

/** What is done with the rows before they are rounded; the companion is the norm's gain [C], or `up` [..., C]. */
const PROLOGUES = [
  (x: Tracer) => x,
  (x: Tracer, gain: Tracer, eps: number) => rmsNorm(x, gain, eps),
  (gate: Tracer, up: Tracer) => swiglu(gate, up),
  (gate: Tracer, up: Tracer) => hadamard(swiglu(gate, up)),
] as const;

/** The last composites of what a product can do first, by their place in `PROLOGUES`. */
export const PROLOGUE_OF: Readonly<Record<string, number>> = { rmsNorm: 1, swiglu: 2, hadamard: 3 };

/** How the attributes for the outputs of each weight are called. */
const OUTS = ["out", "out2", "out3"] as const;

/** The most weights that share an operator. */
export const MOST_WEIGHTS = OUTS.length;

/** The products of one format of weights. */
export interface BlockLinear {
  /** how many inputs a weight is */
  readonly partCount: number;
  /** (x [..., in], ...parts of each weight, companion?, addend [..., out]?) → [..., out] of each; by how many weights, from 1 */
  readonly composites: readonly Composite[];
}

/** The weight [out, in] float32 that some parts stand for. */
type Unpack = (parts: readonly Tracer[], attributes: Attributes) => Tracer;

function blockLinearOf(
  name: string,
  operator: string,
  block: number,
  partCount: number,
  unpack: Unpack,
): BlockLinear {
  const composites = OUTS.map((_, index): Composite => {
    const outs = OUTS.slice(0, index + 1);
    const suffix = outs.length === 1 ? "" : outs.length;
    /** [x, ...parts, companion?, addend?], with the last two in their places. */
    const inPlaces = <T>(inputs: readonly T[], { prologue }: Attributes): (T | undefined)[] => {
      const end = 1 + outs.length * partCount;
      const [companion, addend] = prologue === 0 ? [undefined, inputs[end]] : inputs.slice(end);
      return [...inputs.slice(0, end), companion, addend];
    };
    return {
      name: `${name}${suffix}`,
      define(inputs, attributes) {
        const places = inPlaces(inputs, attributes);
        const [companion, addend] = places.slice(-2);
        const rows = PROLOGUES[attributes.prologue!]!(inputs[0]!, companion!, attributes.epsilon!);
        const rounded = roundInBlocks(rows, block, attributes.bytes!);
        return outs.map((out, at) => {
          const parts = inputs.slice(1 + at * partCount, 1 + (at + 1) * partCount);
          const size = { in: attributes.in!, out: attributes[out]! };
          const y = matmul(rounded, unpack(parts, size), { transposeB: true });
          return addend === undefined ? y : add(addend, y);
        });
      },
      lower(lowering, { inputs, outputs, params: { attributes } }) {
        const given: Record<string, Attribute> = { ...attributes, epsilon: { float: attributes.epsilon! } };
        const operands = inPlaces(inputs, attributes);
        // Only one weight may have an addend.
        return lowering.emitNative(
          `${operator}${suffix}`,
          outs.length === 1 ? operands : operands.slice(0, -1),
          outputs,
          given,
        );
      },
    };
  });
  return { composites, partCount };
}

/** packed, scales [out] */
export const INT8_BLOCK_LINEAR = blockLinearOf(
  "int8BlockLinear",
  "Int8BlockLinear",
  INT8_BLOCK,
  2,
  ([packed, scales], { out, in: inputs }) => {
    const rows = slice(unpackInt8(packed!), { axis: 0, start: 0, end: out! });
    return mul(slice(rows, { axis: 1, start: 0, end: inputs! }), reshape(scales!, [out!, 1]));
  },
);

/** packed, scales, minimums */
export const INT4_BLOCK_LINEAR = blockLinearOf("int4BlockLinear", "Int4BlockLinear", BLOCK, 3, unpackInt4);

/** A weight's parts and its rows. */
export interface BlockWeight {
  readonly parts: readonly Tracer[];
  readonly out: number;
}

/**
 * The products of the same rows with one to three weights.
 *
 * @param x [..., in] float32
 * @param options.bytes of a value of the rows; one by default
 * @param options.prologue what is done with x first: a place in `PROLOGUES`; nothing by default
 * @param options.companion what that needs beside x
 * @param options.epsilon of the norm
 * @param options.addend [..., out], with one weight only
 */
export function blockProducts(
  { composites }: BlockLinear,
  x: Tracer,
  weights: readonly BlockWeight[],
  options: {
    readonly bytes?: ValueBytes | undefined;
    readonly prologue?: number;
    readonly companion?: Tracer | undefined;
    readonly epsilon?: number | undefined;
    readonly addend?: Tracer | undefined;
  } = {},
): readonly Tracer[] {
  const { bytes = 1, prologue = 0, companion, epsilon = 0, addend } = options;
  const more = [companion, addend].filter((each) => each !== undefined);
  const outs = weights.map(({ out }, index) => [OUTS[index]!, out] as const);
  return bindComposite(
    composites[weights.length - 1]!,
    [x, ...weights.flatMap(({ parts }) => parts), ...more],
    { prologue, bytes, epsilon, in: x.shape.at(-1) as number, ...Object.fromEntries(outs) },
  );
}

/** x [..., in] · Wᵀ → [..., out], float32, the rows of x in blocks of 64 values */
export const int8BlockLinear = (x: Tracer, { packed, scales, out }: Int8Weight, bytes?: ValueBytes): Tracer =>
  blockProducts(INT8_BLOCK_LINEAR, x, [{ parts: [packed, scales], out }], { bytes })[0]!;

/** x [..., in] · Wᵀ → [..., out], float32, the rows of x in blocks of 32 values, as the weight is */
export const int4BlockLinear = (
  x: Tracer,
  { packed, scales, minimums, out }: Int4Weight,
  bytes?: ValueBytes,
): Tracer => blockProducts(INT4_BLOCK_LINEAR, x, [{ parts: [packed, scales, minimums], out }], { bytes })[0]!;

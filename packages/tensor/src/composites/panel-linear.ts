// Products with frozen weights held in bfloat16, as 16-bit integers or in blocks of 4 bits, which a kernel takes a panel
// at a time.
import type { Attributes, Composite } from "../composite.ts";
import { kernel } from "../onnx/kernel.ts";
import { add, cast, concat, floor, matmul, mod, mul, reshape, slice, transpose } from "../ops.ts";
import { bindComposite, type Tracer } from "../trace.ts";

/** A frozen weight [out, in] in bfloat16; see `packBfloat16`. */
export interface Bfloat16Weight {
  readonly out: number;
  readonly in: number;
  /** [out / 16, in / 2, 16, 2] bfloat16, both padded to multiples of 32 */
  readonly packed: Tracer;
}

/** A frozen weight [out, in] as 16-bit integers with a scale for each output; see `quantizeInt16`. */
export interface Int16Weight {
  readonly out: number;
  readonly in: number;
  /** [out / 16, in / 2, 16, 2] int16, both padded to multiples of 32 */
  readonly packed: Tracer;
  /** [out] float32, padded */
  readonly scales: Tracer;
}

/** A frozen weight [out, in] in blocks of 32 inputs with 4 bits each: scale · nibble + minimum; see `packInt4`. */
export interface Int4Weight {
  readonly out: number;
  readonly in: number;
  /** [out / 16, in / 8, 16, 4] uint8, `out` padded to a multiple of 32 */
  readonly packed: Tracer;
  /** [out / 16, in / 32, 16] float16 */
  readonly scales: Tracer;
  /** [out / 16, in / 32, 16] float16 */
  readonly minimums: Tracer;
}

/** Inputs in one block of 4-bit weights. */
export const BLOCK = 32;

const crop = (matrix: Tracer, attributes: Attributes): Tracer =>
  slice(slice(matrix, { axis: 0, start: 0, end: attributes.out! }), {
    axis: 1,
    start: 0,
    end: attributes.in!,
  });

type Unpack = (parts: readonly Tracer[], attributes: Attributes) => Tracer;

/** Pairs of inputs, [out, in] float32 with their padding */
function unpackPairs(packed: Tracer): Tracer {
  const [groups, pairs, columns, depth] = packed.shape as [number, number, number, number];
  return reshape(transpose(cast(packed, "float32"), [0, 2, 1, 3]), [groups * columns, pairs * depth]);
}

/** [out, in] float32 */
const unpackBfloat16: Unpack = ([packed], attributes) => crop(unpackPairs(packed!), attributes);
const unpackInt16: Unpack = ([packed, scales], attributes) =>
  crop(mul(unpackPairs(packed!), reshape(scales!, [scales!.shape[0]!, 1])), attributes);

/** What the parts stand for: [out, in] float32 */
export function unpackInt4([packed, scales, minimums]: readonly Tracer[], attributes: Attributes): Tracer {
  const [groups, octets, columns] = packed!.shape as [number, number, number, number];
  const blocks = attributes.in! / BLOCK;
  const bytes = cast(packed!, "float32");
  const halves = [mod(bytes, 16), floor(mul(bytes, 1 / 16))].map((half) =>
    reshape(half, [groups, octets, columns, 1, 4]),
  );
  const nibbles = reshape(transpose(concat(halves, 3), [0, 2, 1, 3, 4]), [groups, columns, blocks, BLOCK]);
  const [scale, minimum] = [scales!, minimums!].map((each) =>
    reshape(transpose(cast(each, "float32"), [0, 2, 1]), [groups, columns, blocks, 1]),
  );
  const matrix = reshape(add(mul(nibbles, scale!), minimum!), [groups * columns, blocks * BLOCK]);
  return crop(matrix, attributes);
}

/** Both directions of a format whose weight is given in `parts` inputs: (x, ...parts, addend?) → x · Wᵀ or x · W. */
function linearOf(
  name: string,
  operator: string,
  parts: number,
  unpack: Unpack,
  transposeB: boolean,
): Composite {
  return {
    name,
    define([x, ...rest], attributes) {
      const y = matmul(x!, unpack(rest.slice(0, parts), attributes), { transposeB });
      const addend = rest[parts];
      return [addend === undefined ? y : add(addend, y)];
    },
    lower: kernel(operator),
  };
}

const BFLOAT16_LINEAR = linearOf("bfloat16Linear", "Bfloat16Linear", 1, unpackBfloat16, true);
const BFLOAT16_LINEAR_TRANSPOSED = linearOf(
  "bfloat16LinearTransposed",
  "Bfloat16LinearTransposed",
  1,
  unpackBfloat16,
  false,
);
const INT16_LINEAR = linearOf("int16Linear", "Int16Linear", 2, unpackInt16, true);
const INT16_LINEAR_TRANSPOSED = linearOf(
  "int16LinearTransposed",
  "Int16LinearTransposed",
  2,
  unpackInt16,
  false,
);
const INT4_LINEAR = linearOf("int4Linear", "Int4Linear", 3, unpackInt4, true);
const INT4_LINEAR_TRANSPOSED = linearOf("int4LinearTransposed", "Int4LinearTransposed", 3, unpackInt4, false);

const sizes = ({ in: inputs, out }: { readonly in: number; readonly out: number }): Attributes => ({
  in: inputs,
  out,
});

/** x [..., in] · Wᵀ → [..., out], float32, computed to bfloat16's accuracy */
export const bfloat16Linear = (x: Tracer, weight: Bfloat16Weight): Tracer =>
  bindComposite(BFLOAT16_LINEAR, [x, weight.packed], sizes(weight))[0]!;

/** x [..., out] · W → [..., in] */
export const bfloat16LinearTransposed = (x: Tracer, weight: Bfloat16Weight): Tracer =>
  bindComposite(BFLOAT16_LINEAR_TRANSPOSED, [x, weight.packed], sizes(weight))[0]!;

/** x [..., in] · Wᵀ → [..., out], float32, computed to the accuracy of 16-bit integers */
export const int16Linear = (x: Tracer, weight: Int16Weight): Tracer =>
  bindComposite(INT16_LINEAR, [x, weight.packed, weight.scales], sizes(weight))[0]!;

/** x [..., out] · W → [..., in] */
export const int16LinearTransposed = (x: Tracer, weight: Int16Weight): Tracer =>
  bindComposite(INT16_LINEAR_TRANSPOSED, [x, weight.packed, weight.scales], sizes(weight))[0]!;

/** x [..., in] · Wᵀ → [..., out], float32, computed to bfloat16's accuracy */
export const int4Linear = (x: Tracer, weight: Int4Weight): Tracer =>
  bindComposite(INT4_LINEAR, [x, weight.packed, weight.scales, weight.minimums], sizes(weight))[0]!;

/** x [..., out] · W → [..., in] */
export const int4LinearTransposed = (x: Tracer, weight: Int4Weight): Tracer =>
  bindComposite(
    INT4_LINEAR_TRANSPOSED,
    [x, weight.packed, weight.scales, weight.minimums],
    sizes(weight),
  )[0]!;

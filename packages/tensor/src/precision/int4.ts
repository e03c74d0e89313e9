// Frozen weights in blocks of 32 inputs with 4 bits each, packed as the native panel products read them, in either
// direction. Pure functions on arrays; what the products compute is in `native/linear-panels.c`.

import { TensorError } from "../errors.ts";
import { float16ToFloat32, float32ToFloat16 } from "../float16.ts";

/** Inputs that share a scale and a minimum. */
const BLOCK = 32;
/** Outputs that lie side by side; outputs are padded to twice as many. */
const GROUP = 16;
/** The largest magnitude that rounds to a finite float16 lies below this. */
const FLOAT16_OVERFLOW = 65520;
const LARGEST_NIBBLE = 15;

/** Weights W [outputs, inputs] as `scale * nibble + minimum`, outputs padded to a multiple of 32 with zeros. */
export interface PackedInt4 {
  /**
   * [outputs / 16, inputs / 8, 16 outputs, 4 bytes]: the low half of byte b is the nibble of input 8j + b, the high
   * half that of input 8j + 4 + b.
   */
  readonly packed: Uint8Array;
  /** [outputs / 16, inputs / 32, 16] float16 bit patterns, one per block. */
  readonly scales: Uint16Array;
  /** Likewise. */
  readonly minimums: Uint16Array;
}

/** GGUF's formats of 4-bit blocks that can be kept bit for bit. */
export type Int4BlockFormat = "q4_0" | "q4_1";

/** Where the 16 bytes of nibbles start in a block; its length is 16 more. */
const NIBBLES_AT: { readonly [Format in Int4BlockFormat]: number } = { q4_0: 2, q4_1: 4 };

/**
 * Packs the bytes of a GGUF tensor [outputs, inputs], keeping nibbles and scales bit for bit.
 *
 * A block holds 32 weights of one output: a float16 d, for `q4_1` a float16 m, then 16 bytes whose low halves are the
 * nibbles of weights 0 to 15 and whose high halves those of 16 to 31. A weight is d · (nibble − 8) in `q4_0` and
 * d · nibble + m in `q4_1`. The minimum of a `q4_0` block is −8d, which float16 holds exactly: it only moves the
 * exponent.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when `inputs` is no multiple of 32, the length is not that of so many
 * blocks, or −8d is not finite in float16 (from |d| = 8192 on)
 * @see ggml `block_q4_0` and `block_q4_1`
 */
export function packInt4(
  blocks: Uint8Array,
  format: Int4BlockFormat,
  outputs: number,
  inputs: number,
): PackedInt4 {
  const nibblesAt = NIBBLES_AT[format];
  const blockBytes = nibblesAt + BLOCK / 2;
  checkInputs("packInt4", inputs);
  checkLength("packInt4", blocks.length, outputs, inputs, ((outputs * inputs) / BLOCK) * blockBytes);
  const weight = emptyInt4(outputs, inputs);
  const words = wordsOf(weight.packed);
  let from = 0;
  for (let o = 0; o < outputs; o++) {
    for (let block = 0; block < inputs / BLOCK; block++, from += blockBytes) {
      const place = blockPlace(o, block, inputs);
      weight.scales[place] = blocks[from]! | (blocks[from + 1]! << 8);
      if (format === "q4_1") weight.minimums[place] = blocks[from + 2]! | (blocks[from + 3]! << 8);
      packBlock(blocks, from + nibblesAt, words, wordPlace(o, block, inputs));
    }
  }
  return format === "q4_1" ? weight : { ...weight, minimums: minimumsOfScales(weight.scales) };
}

/**
 * Rounds W [outputs, inputs] to 4 bits: in each block the minimum is the smallest weight, the scale a fifteenth of the
 * range, both rounded to float16, and each nibble the nearest that is left.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when `inputs` is no multiple of 32, the length is not
 * `outputs * inputs`, or a weight is not finite in float16
 */
export function quantizeInt4(weight: Float32Array, outputs: number, inputs: number): PackedInt4 {
  checkInputs("quantizeInt4", inputs);
  checkLength("quantizeInt4", weight.length, outputs, inputs, outputs * inputs);
  const [minimums, scales] = blockRanges(weight, inputs);
  const minimumBits = float32ToFloat16(minimums);
  const scaleBits = float32ToFloat16(scales);
  const roundedMinimums = float16ToFloat32(minimumBits);
  const roundedScales = float16ToFloat32(scaleBits);
  const result = emptyInt4(outputs, inputs);
  const words = wordsOf(result.packed);
  const blocksPerRow = inputs / BLOCK;
  for (let o = 0; o < outputs; o++) {
    for (let block = 0; block < blocksPerRow; block++) {
      const source = o * blocksPerRow + block;
      const place = blockPlace(o, block, inputs);
      result.scales[place] = scaleBits[source]!;
      result.minimums[place] = minimumBits[source]!;
      const inverse = roundedScales[source]! === 0 ? 0 : 1 / roundedScales[source]!;
      const word = wordPlace(o, block, inputs);
      roundBlock(weight, source * BLOCK, roundedMinimums[source]!, inverse, words, word);
    }
  }
  return result;
}

/**
 * The weights [outputs, inputs] that packed blocks stand for, row major: `scale * nibble + minimum`, rounded once.
 *
 * @throws {TensorError} `TENSOR_INVALID_ARGUMENT` when `inputs` is no multiple of 32, or the length of `packed` is not
 * that of packed weights of these sizes
 */
export function unpackInt4(weight: PackedInt4, outputs: number, inputs: number): Float32Array {
  checkInputs("unpackInt4", inputs);
  checkLength("unpackInt4", weight.packed.length, outputs, inputs, (paddedOutputs(outputs) * inputs) / 2);
  const scales = float16ToFloat32(weight.scales);
  const minimums = float16ToFloat32(weight.minimums);
  const words = wordsOf(weight.packed);
  const values = new Float32Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    for (let block = 0; block < inputs / BLOCK; block++) {
      const place = blockPlace(o, block, inputs);
      const word = wordPlace(o, block, inputs);
      const to = o * inputs + block * BLOCK;
      for (let i = 0; i < BLOCK; i++) {
        const nibble = (words[word + (i >> 3) * GROUP]! >>> shiftOf(i)) & 15;
        values[to + i] = scales[place]! * nibble + minimums[place]!;
      }
    }
  }
  return values;
}

const paddedOutputs = (outputs: number): number => Math.ceil(outputs / (2 * GROUP)) * 2 * GROUP;

function emptyInt4(outputs: number, inputs: number): PackedInt4 {
  const count = paddedOutputs(outputs) * inputs;
  return {
    packed: new Uint8Array(count / 2),
    scales: new Uint16Array(count / BLOCK),
    minimums: new Uint16Array(count / BLOCK),
  };
}

/** The packed bytes as words of 8 nibbles, the first byte lowest, as on every CPU that the runtime supports. */
const wordsOf = (packed: Uint8Array): Uint32Array =>
  packed.byteOffset % 4 === 0
    ? new Uint32Array(packed.buffer, packed.byteOffset, packed.length / 4)
    : new Uint32Array(packed.slice().buffer);

/** Places of a block's scale and of its first word; its four words lie 16 apart. */
const blockPlace = (o: number, block: number, inputs: number): number =>
  ((o >> 4) * (inputs / BLOCK) + block) * GROUP + (o & 15);
const wordPlace = (o: number, block: number, inputs: number): number =>
  ((o >> 4) * (inputs / 8) + block * 4) * GROUP + (o & 15);

/** Where input `i` lies in its word: bytes 0 to 3 hold inputs 0 to 3 in their low and 4 to 7 in their high halves. */
const shiftOf = (i: number): number => (i & 3) * 8 + (i & 4);

/** Moves the 16 bytes of nibbles at `from` to four words. */
function packBlock(bytes: Uint8Array, from: number, words: Uint32Array, place: number): void {
  for (let half = 0; half < 2; half++, from += 8) {
    const first = wordAt(bytes, from);
    const second = wordAt(bytes, from + 4);
    words[place + half * GROUP] = (first & 0x0f0f0f0f) | ((second & 0x0f0f0f0f) << 4);
    words[place + (half + 2) * GROUP] = ((first >>> 4) & 0x0f0f0f0f) | (second & 0xf0f0f0f0);
  }
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

/** Rounds the 32 weights at `from` to nibbles in four words. */
function roundBlock(
  weight: Float32Array,
  from: number,
  minimum: number,
  inverse: number,
  words: Uint32Array,
  place: number,
): void {
  for (let j = 0; j < 4; j++, from += 8, place += GROUP) {
    let word = 0;
    for (let i = 0; i < 8; i++) {
      const steps = ((weight[from + i]! - minimum) * inverse + 0.5) | 0;
      word |= Math.min(LARGEST_NIBBLE, Math.max(0, steps)) << shiftOf(i);
    }
    words[place] = word;
  }
}

/** The smallest weight of each block, and a fifteenth of its range. */
function blockRanges(weight: Float32Array, inputs: number): [minimums: Float32Array, scales: Float32Array] {
  const minimums = new Float32Array(weight.length / BLOCK);
  const scales = new Float32Array(minimums.length);
  for (let block = 0; block < minimums.length; block++) {
    let smallest = Number.POSITIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = block * BLOCK; i < (block + 1) * BLOCK; i++) {
      const value = weight[i]!;
      if (!(Math.abs(value) < FLOAT16_OVERFLOW)) throw notFinite(i, value, inputs);
      if (value < smallest) smallest = value;
      if (value > largest) largest = value;
    }
    minimums[block] = smallest;
    scales[block] = (largest - smallest) / LARGEST_NIBBLE;
  }
  return [minimums, scales];
}

/** −8d of every d, in float16. */
function minimumsOfScales(scales: Uint16Array): Uint16Array {
  const minimums = float16ToFloat32(scales);
  for (let i = 0; i < minimums.length; i++) {
    minimums[i] = -8 * minimums[i]!;
    if (Math.abs(minimums[i]!) < FLOAT16_OVERFLOW) continue;
    throw new TensorError(
      "TENSOR_INVALID_ARGUMENT",
      `packInt4: a q4_0 block has the scale ${minimums[i]! / -8}; expected a magnitude below 8192`,
      { details: { scale: minimums[i]! / -8 } },
    );
  }
  return float32ToFloat16(minimums);
}

function checkInputs(name: string, inputs: number): void {
  if (inputs % BLOCK === 0) return;
  throw new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `${name}: expected inputs to be a multiple of ${BLOCK}, got ${inputs}; keep such weights in bfloat16`,
    { details: { inputs } },
  );
}

function checkLength(name: string, length: number, outputs: number, inputs: number, expected: number): void {
  if (length === expected) return;
  throw new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `${name}: expected ${expected} elements for ${outputs} x ${inputs} weights, got ${length}`,
    { details: { outputs, inputs, length } },
  );
}

function notFinite(index: number, value: number, inputs: number): TensorError {
  const output = Math.floor(index / inputs);
  const input = index % inputs;
  return new TensorError(
    "TENSOR_INVALID_ARGUMENT",
    `quantizeInt4: weight [${output}, ${input}] is ${value}; int4 needs weights that are finite in float16`,
    { details: { output, input, value } },
  );
}

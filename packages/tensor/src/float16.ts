// Float16 and bfloat16 bit patterns to and from float32, whole arrays at a time; bit arithmetic only.
// Encoding rounds to nearest, ties to even; decoding is exact.

let float16Values: Float32Array | undefined;

/**
 * Decodes float16 bit patterns into a new `Float32Array`. Exact.
 *
 * @see IEEE 754-2019 binary16: 1 sign, 5 exponent, 10 fraction bits
 */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  float16Values ??= buildFloat16Values();
  const table = float16Values;
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

/** Decodes bfloat16 bit patterns into a new `Float32Array`. Exact: a bfloat16 is the upper half of a float32. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}

/**
 * Encodes float32 values as float16 bit patterns in a new `Uint16Array`.
 *
 * Magnitudes of 65520 and above become infinity, those of 2⁻²⁵ and below zero; NaN stays NaN.
 */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const words = wordsOf(values);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = encodeFloat16(words[i]!);
  return out;
}

/** Encodes float32 values as bfloat16 bit patterns in a new `Uint16Array`; NaN stays NaN. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const words = wordsOf(values);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const word = words[i]!;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    // Adding just under half of the dropped part, plus the lowest kept bit, rounds ties to even.
    out[i] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** The float32 bit patterns of `values`; a Float32Array is always aligned to 4 bytes, so this is a view. */
function wordsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function encodeFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // from 65520, halfway past the largest finite value
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  if (magnitude <= 0x33000000) return sign; // to 2⁻²⁵, half of the smallest subnormal
  const shift = 126 - (magnitude >>> 23); // 14 … 24
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const quotient = significand >>> shift;
  const remainder = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (quotient + (remainder > half || (remainder === half && (quotient & 1) === 1) ? 1 : 0));
}

function buildFloat16Values(): Float32Array {
  const words = new Uint32Array(1 << 16);
  const table = new Float32Array(words.buffer);
  for (let bits = 0; bits < words.length; bits++) {
    const exponent = (bits >>> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    const sign = (bits & 0x8000) << 16;
    if (exponent === 0) table[bits] = (sign < 0 ? -1 : 1) * fraction * 2 ** -24;
    else words[bits] = sign | (exponent === 31 ? 0x7f800000 : (exponent + 112) << 23) | (fraction << 13);
  }
  return table;
}

// The block formats of ggml, each as a loop from bytes to float32. Knows no tensors, names or files.
// Every product of a scale and an integer fits a double exactly, so a value is rounded once, when it is stored.
import { bfloat16ToFloat32, float16ToFloat32 } from "@flacuna/tensor";

let halves: Float32Array | undefined;

/** Float32 value of each float16 bit pattern. */
function halfTable(): Float32Array {
  halves ??= float16ToFloat32(Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits));
  return halves;
}

/** The bytes as 16-bit patterns, copied where they are not aligned. */
function wordsOf(bytes: Uint8Array, count: number): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, count);
}

/** F32: IEEE 754 binary32. */
export function decodeFloat32(bytes: Uint8Array, count: number, out: Float32Array): void {
  new Uint8Array(out.buffer, out.byteOffset, count * 4).set(bytes.subarray(0, count * 4));
}

/** F16: IEEE 754 binary16. */
export function decodeFloat16(bytes: Uint8Array, count: number, out: Float32Array): void {
  out.set(float16ToFloat32(wordsOf(bytes, count)));
}

/** BF16: the upper half of a binary32. */
export function decodeBfloat16(bytes: Uint8Array, count: number, out: Float32Array): void {
  out.set(bfloat16ToFloat32(wordsOf(bytes, count)));
}

/** Q4_0: d (half); 16 bytes whose low halves are elements 0 … 15 and high halves 16 … 31; d·(q − 8). */
export function decodeQ4_0(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 18, to += 32) {
    const d = half[bytes[at]! | (bytes[at + 1]! << 8)]!;
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j]!;
      out[to + j] = d * ((pair & 15) - 8);
      out[to + 16 + j] = d * ((pair >> 4) - 8);
    }
  }
}

/** Q4_1: d, m (halves); nibbles as in Q4_0; d·q + m. */
export function decodeQ4_1(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 20, to += 32) {
    const d = half[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const m = half[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 4 + j]!;
      out[to + j] = d * (pair & 15) + m;
      out[to + 16 + j] = d * (pair >> 4) + m;
    }
  }
}

/** Q5_0: d (half); 32 fifth bits; nibbles as in Q4_0; d·(q − 16). */
export function decodeQ5_0(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 22, to += 32) {
    const d = half[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const high = wordAt(bytes, at + 2);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 6 + j]!;
      out[to + j] = d * (((pair & 15) | (((high >>> j) & 1) << 4)) - 16);
      out[to + 16 + j] = d * (((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16);
    }
  }
}

/** Q5_1: d, m (halves); 32 fifth bits; nibbles as in Q4_0; d·q + m. */
export function decodeQ5_1(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 24, to += 32) {
    const d = half[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const m = half[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    const high = wordAt(bytes, at + 4);
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 8 + j]!;
      out[to + j] = d * ((pair & 15) | (((high >>> j) & 1) << 4)) + m;
      out[to + 16 + j] = d * ((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) + m;
    }
  }
}

/** Q8_0: d (half); 32 signed bytes; d·q. */
export function decodeQ8_0(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 34, to += 32) {
    const d = half[bytes[at]! | (bytes[at + 1]! << 8)]!;
    for (let j = 0; j < 32; j++) out[to + j] = d * ((bytes[at + 2 + j]! << 24) >> 24);
  }
}

/**
 * Q4_K: d, dmin (halves); eight 6-bit scales and minima in 12 bytes; 128 bytes, of which each 32 hold two runs of 32
 * elements in their low and high halves; d·scale·q − dmin·minimum.
 */
export function decodeQ4_K(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 144, to += 256) {
    const d = half[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const dmin = half[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    for (let run = 0; run < 8; run++) {
      const scale = d * sixBitScale(bytes, at + 4, run);
      const minimum = dmin * sixBitMinimum(bytes, at + 4, run);
      const from = at + 16 + (run >> 1) * 32;
      const shift = (run & 1) * 4;
      for (let j = 0; j < 32; j++) {
        out[to + run * 32 + j] = scale * ((bytes[from + j]! >> shift) & 15) - minimum;
      }
    }
  }
}

/** Q5_K: as Q4_K with 32 bytes of fifth bits before the nibbles; bit r of byte j belongs to element j of run r. */
export function decodeQ5_K(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 176, to += 256) {
    const d = half[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const dmin = half[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    for (let run = 0; run < 8; run++) {
      const scale = d * sixBitScale(bytes, at + 4, run);
      const minimum = dmin * sixBitMinimum(bytes, at + 4, run);
      const from = at + 48 + (run >> 1) * 32;
      const shift = (run & 1) * 4;
      for (let j = 0; j < 32; j++) {
        const fifth = ((bytes[at + 16 + j]! >> run) & 1) << 4;
        out[to + run * 32 + j] = scale * (((bytes[from + j]! >> shift) & 15) | fifth) - minimum;
      }
    }
  }
}

/**
 * Q6_K: 128 bytes of low halves, 64 of high pairs of bits, sixteen signed scales, d (half); d·scale·(q − 32). Each half
 * of the block is four runs of 32: their low bits share 64 bytes, their high bits 32.
 */
export function decodeQ6_K(bytes: Uint8Array, count: number, out: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0, to = 0; block < count; block++, at += 210, to += 256) {
    const d = half[bytes[at + 208]! | (bytes[at + 209]! << 8)]!;
    for (let run = 0; run < 8; run++) {
      const [side, quarter] = [run >> 2, run & 3];
      const low = at + side * 64 + (quarter & 1) * 32;
      const lowShift = (quarter >> 1) * 4;
      const high = at + 128 + side * 32;
      for (let j = 0; j < 32; j++) {
        const q = ((bytes[low + j]! >> lowShift) & 15) | (((bytes[high + j]! >> (quarter * 2)) & 3) << 4);
        const scale = (bytes[at + 192 + run * 2 + (j >> 4)]! << 24) >> 24;
        out[to + run * 32 + j] = d * scale * (q - 32);
      }
    }
  }
}

/** Scale `index` of eight in the 12 bytes at `at`: six low bits, or four and two that lie in an earlier byte's top. */
function sixBitScale(bytes: Uint8Array, at: number, index: number): number {
  if (index < 4) return bytes[at + index]! & 63;
  return (bytes[at + index + 4]! & 15) | ((bytes[at + index - 4]! >> 6) << 4);
}

/** Minimum `index` of eight in the 12 bytes at `at`. */
function sixBitMinimum(bytes: Uint8Array, at: number, index: number): number {
  if (index < 4) return bytes[at + index + 4]! & 63;
  return (bytes[at + index + 4]! >> 4) | ((bytes[at + index]! >> 6) << 4);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

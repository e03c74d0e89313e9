// The tensor types of GGUF: their numbers, the size of their blocks, and how a block becomes float32. Touches no file.
import {
  decodeBfloat16,
  decodeFloat16,
  decodeFloat32,
  decodeQ4_0,
  decodeQ4_1,
  decodeQ4_K,
  decodeQ5_0,
  decodeQ5_1,
  decodeQ5_K,
  decodeQ6_K,
  decodeQ8_0,
} from "./gguf-blocks.ts";

/** Decodes `count` blocks that begin at the first of `bytes` into `out` [count · blockSize]. */
export type BlockDecoder = (bytes: Uint8Array, count: number, out: Float32Array) => void;

/** What is known of one tensor type. */
export interface GgufTypeInfo {
  /** The number of the type in the file. */
  readonly id: number;
  /** Elements of a block; rows hold whole blocks. */
  readonly blockSize: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  readonly decode: BlockDecoder;
}

/**
 * The types that are read here.
 *
 * @see ggml `enum ggml_type` for the numbers
 */
export const GGUF_TYPES = {
  F32: { id: 0, blockSize: 1, blockBytes: 4, decode: decodeFloat32 },
  F16: { id: 1, blockSize: 1, blockBytes: 2, decode: decodeFloat16 },
  Q4_0: { id: 2, blockSize: 32, blockBytes: 18, decode: decodeQ4_0 },
  Q4_1: { id: 3, blockSize: 32, blockBytes: 20, decode: decodeQ4_1 },
  Q5_0: { id: 6, blockSize: 32, blockBytes: 22, decode: decodeQ5_0 },
  Q5_1: { id: 7, blockSize: 32, blockBytes: 24, decode: decodeQ5_1 },
  Q8_0: { id: 8, blockSize: 32, blockBytes: 34, decode: decodeQ8_0 },
  Q4_K: { id: 12, blockSize: 256, blockBytes: 144, decode: decodeQ4_K },
  Q5_K: { id: 13, blockSize: 256, blockBytes: 176, decode: decodeQ5_K },
  Q6_K: { id: 14, blockSize: 256, blockBytes: 210, decode: decodeQ6_K },
  BF16: { id: 30, blockSize: 1, blockBytes: 2, decode: decodeBfloat16 },
} as const satisfies Record<string, GgufTypeInfo>;

/** Name of a tensor type, as ggml spells it. */
export type GgufType = keyof typeof GGUF_TYPES;

const NAMES = new Map<number, GgufType>(
  Object.entries(GGUF_TYPES).map(([name, { id }]) => [id, name as GgufType]),
);

/** The type with number `id`, or undefined when it is not read here. */
export const ggufTypeOf = (id: number): GgufType | undefined => NAMES.get(id);

/** Bytes of `count` elements of `type`, which must fill whole blocks. */
export function ggufByteLength(type: GgufType, count: number): number {
  const { blockSize, blockBytes } = GGUF_TYPES[type];
  return (count / blockSize) * blockBytes;
}

/** The float32 values of whole blocks of `type`; rounded once, as ggml's own reader does. */
export function dequantize(type: GgufType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const { blockSize, blockBytes, decode } = GGUF_TYPES[type];
  const count = bytes.length / blockBytes;
  const out = new Float32Array(count * blockSize);
  decode(bytes, count, out);
  return out;
}

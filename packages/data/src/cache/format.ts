// The files of a token cache and the layout of their records (little-endian); no file access.
import { IGNORE_INDEX } from "../labels.ts";
import type { TokenizedRow } from "../tokenized-rows.ts";

/** Raised with every change of the layout, so that older caches are rebuilt. */
export const CACHE_VERSION = 1;

/** `tokens.bin`: all ids; `index.bin`: one record per sample; `mask.bin`: the trained runs, a pair of uint32 each. */
export const CACHE_FILES = { tokens: "tokens.bin", index: "index.bin", mask: "mask.bin" } as const;

/** One of the three data files. */
export type CacheFile = keyof typeof CACHE_FILES;

/** How ids are stored. */
export type TokenType = "uint16" | "uint32";

/** Two bytes per id where they suffice. */
export function tokenTypeFor(vocabSize: number): TokenType {
  return vocabSize < 65_536 ? "uint16" : "uint32";
}

/** The array that holds ids of a type as they are on disk. */
export const TOKEN_ARRAYS = { uint16: Uint16Array, uint32: Uint32Array } as const;

/** Bytes of one run: its first position and its length. */
export const RUN_BYTES = 8;

/** Bytes of one record of `index.bin`. */
export const INDEX_BYTES = 32;

/** Where a sample lies, and what it came from. */
export interface IndexRecord {
  /** Tokens before this sample. */
  readonly tokenOffset: number;
  readonly tokenCount: number;
  /** Position in the manifest's list of sources. */
  readonly sourceId: number;
  /** Runs before this sample's. */
  readonly runOffset: number;
  readonly runCount: number;
  /** 0-based number of the row in the source. */
  readonly row: number;
}

/** The record's bytes: u64, u32, u32, u64, u32, u32. */
export function encodeIndexRecord(record: IndexRecord): Buffer {
  const bytes = Buffer.alloc(INDEX_BYTES);
  bytes.writeBigUInt64LE(BigInt(record.tokenOffset), 0);
  bytes.writeUInt32LE(record.tokenCount, 8);
  bytes.writeUInt32LE(record.sourceId, 12);
  bytes.writeBigUInt64LE(BigInt(record.runOffset), 16);
  bytes.writeUInt32LE(record.runCount, 24);
  bytes.writeUInt32LE(record.row, 28);
  return bytes;
}

/** Undoes `encodeIndexRecord`. */
export function decodeIndexRecord(bytes: Buffer): IndexRecord {
  return {
    tokenOffset: Number(bytes.readBigUInt64LE(0)),
    tokenCount: bytes.readUInt32LE(8),
    sourceId: bytes.readUInt32LE(12),
    runOffset: Number(bytes.readBigUInt64LE(16)),
    runCount: bytes.readUInt32LE(24),
    row: bytes.readUInt32LE(28),
  };
}

/** The trained runs of a row: start, length, start, length, … */
export function trainedRuns(labels: ArrayLike<number>): Uint32Array {
  const runs: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === IGNORE_INDEX) continue;
    if (i > 0 && labels[i - 1] !== IGNORE_INDEX) runs[runs.length - 1]!++;
    else runs.push(i, 1);
  }
  return Uint32Array.from(runs);
}

/** A row from its ids and trained runs. */
export function rowOf(inputIds: Int32Array, runs: Uint32Array): TokenizedRow {
  const labels = new Int32Array(inputIds.length).fill(IGNORE_INDEX);
  for (let i = 0; i < runs.length; i += 2) {
    const start = runs[i]!;
    labels.set(inputIds.subarray(start, start + runs[i + 1]!), start);
  }
  return { inputIds, labels };
}

// A whole token cache, read at offsets; no part of it is kept in memory.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../errors.ts";
import type { TokenizedRow, TokenizedRows } from "../tokenized-rows.ts";
import {
  CACHE_FILES,
  type CacheFile,
  decodeIndexRecord,
  INDEX_BYTES,
  type IndexRecord,
  RUN_BYTES,
  rowOf,
  TOKEN_ARRAYS,
} from "./format.ts";
import { type CacheManifest, readManifest } from "./manifest.ts";

/** Where a sample came from. */
export interface SampleOrigin {
  readonly source: string;
  /** 0-based number of the row among those the cache was built from. */
  readonly row: number;
}

/** The samples of a token cache. Holds three open files until disposed; rows are read synchronously. */
export class TokenizedDataset implements TokenizedRows, Disposable {
  readonly manifest: CacheManifest;
  readonly #directory: string;
  readonly #files: Readonly<Record<CacheFile, number>>;

  private constructor(
    directory: string,
    manifest: CacheManifest,
    files: Readonly<Record<CacheFile, number>>,
  ) {
    this.#directory = directory;
    this.manifest = manifest;
    this.#files = files;
  }

  /**
   * Opens a whole cache.
   *
   * @throws DataError `DATA_CACHE_MISSING`, `DATA_CACHE_CORRUPT` when a file has not the size that the manifest
   *   states, `DATA_CACHE_MISMATCH` when the content is not the one expected
   */
  static async open(directory: string, options: { expectedKey?: string } = {}): Promise<TokenizedDataset> {
    const manifest = await readManifest(directory);
    if (manifest === undefined) throw missing(directory);
    const { expectedKey = manifest.key } = options;
    if (manifest.key !== expectedKey) throw mismatch(directory, manifest.key, expectedKey);
    const opened: Partial<Record<CacheFile, number>> = {};
    try {
      for (const file of Object.keys(CACHE_FILES) as CacheFile[]) {
        opened[file] = openFile(join(directory, CACHE_FILES[file]), manifest.sizeBytes[file]);
      }
    } catch (error) {
      for (const descriptor of Object.values(opened)) closeSync(descriptor);
      throw error;
    }
    return new TokenizedDataset(directory, manifest, opened as Record<CacheFile, number>);
  }

  get length(): number {
    return this.manifest.counts.samples;
  }

  /** @throws DataError `DATA_INDEX_OUT_OF_RANGE`, `DATA_CACHE_CORRUPT` */
  get(index: number): TokenizedRow {
    const { tokenOffset, tokenCount, runOffset, runCount } = this.#record(index);
    const TokenArray = TOKEN_ARRAYS[this.manifest.tokenType];
    const width = TokenArray.BYTES_PER_ELEMENT;
    const tokens = new TokenArray(this.#read("tokens", tokenOffset * width, tokenCount * width));
    const runs = new Uint32Array(this.#read("mask", runOffset * RUN_BYTES, runCount * RUN_BYTES));
    return rowOf(Int32Array.from(tokens), runs);
  }

  /** @throws DataError `DATA_INDEX_OUT_OF_RANGE`, `DATA_CACHE_CORRUPT` */
  tokenCount(index: number): number {
    return this.#record(index).tokenCount;
  }

  /** @throws DataError `DATA_INDEX_OUT_OF_RANGE`, `DATA_CACHE_CORRUPT` */
  originOf(index: number): SampleOrigin {
    const { sourceId, row } = this.#record(index);
    return { source: this.manifest.sources[sourceId]!, row };
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const descriptor of Object.values(this.#files)) closeSync(descriptor);
  }

  #record(index: number): IndexRecord {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      const message = `${this.#directory}: no sample ${index}, there are ${this.length}`;
      throw new DataError("DATA_INDEX_OUT_OF_RANGE", message, { path: this.#directory, index });
    }
    return decodeIndexRecord(Buffer.from(this.#read("index", index * INDEX_BYTES, INDEX_BYTES)));
  }

  #read(file: CacheFile, offset: number, length: number): ArrayBuffer {
    const bytes = new Uint8Array(length);
    if (length > 0 && readSync(this.#files[file], bytes, 0, length, offset) !== length) {
      throw corrupt(join(this.#directory, CACHE_FILES[file]), `ends before byte ${offset + length}`);
    }
    return bytes.buffer;
  }
}

function openFile(path: string, expectedBytes: number): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    throw corrupt(path, "cannot be opened", cause);
  }
  const { size } = fstatSync(descriptor);
  if (size === expectedBytes) return descriptor;
  closeSync(descriptor);
  throw corrupt(path, `has ${size} bytes, its manifest says ${expectedBytes}`);
}

function missing(path: string): DataError {
  return new DataError("DATA_CACHE_MISSING", `${path}: no token cache here; build it with buildTokenCache`, {
    path,
  });
}

function mismatch(path: string, key: string, expectedKey: string): DataError {
  const message = `${path}: the cache holds content ${key}, expected ${expectedKey}; build it again from these inputs`;
  return new DataError("DATA_CACHE_MISMATCH", message, { path });
}

function corrupt(path: string, what: string, cause?: unknown): DataError {
  const message = `${path}: ${what}; delete the cache's folder and build it again`;
  return new DataError("DATA_CACHE_CORRUPT", message, { path, cause });
}

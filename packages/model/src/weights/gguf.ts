// Opens GGUF files: the header in memory, tensors on disk, read as float32 or as the bytes they are. Knows no model.
import type { FileHandle } from "node:fs/promises";
import { Tensor } from "@flacuna/tensor";
import { ModelError } from "../errors.ts";
import { readBytes, withFile } from "./file-reading.ts";
import { type GgufEntry, type GgufHeader, HeaderUnfinished, parseGgufHeader } from "./gguf-header.ts";
import { dequantize } from "./gguf-types.ts";

/** One tensor of a GGUF file. */
export interface GgufTensor extends GgufEntry {
  /**
   * The values, read and dequantised now: float32 whatever is stored.
   *
   * @throws ModelError `MODEL_GGUF_INVALID` when the file has shrunk, `MODEL_FILE_UNREADABLE` when the system refuses
   */
  read(): Promise<Tensor<"float32">>;
  /** The stored bytes, rows of blocks one after another; throws as `read`. */
  readRaw(): Promise<Uint8Array<ArrayBuffer>>;
}

/** An opened GGUF file. */
export interface GgufFile extends Omit<GgufHeader, "tensors"> {
  readonly path: string;
  /** Tensors by the file's own names, such as `blk.0.attn_q.weight`. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Bytes of the first attempt at a header, whose length nothing says: a vocabulary of 50,000 fits. */
const FIRST_READ_BYTES = 1 << 22;

/**
 * Opens the GGUF file at `path`, version 2 or 3: reads its header, no tensor. No file handle is kept.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE`; `MODEL_GGUF_INVALID` when the file is truncated, damaged or no GGUF;
 * `MODEL_UNSUPPORTED` for another version or a tensor type that is not read here
 */
export async function readGguf(path: string): Promise<GgufFile> {
  const { tensors, ...header } = await withFile(path, (file) => readHeader(file, path));
  const lazily = [...tensors].map(([name, entry]) => [name, lazyTensor(path, name, entry)] as const);
  return { path, ...header, tensors: new Map(lazily) };
}

async function readHeader(file: FileHandle, path: string): Promise<GgufHeader> {
  const { size: fileLength } = await file.stat();
  for (let length = FIRST_READ_BYTES; ; length *= 4) {
    const stretch = { offset: 0, length: Math.min(length, fileLength) };
    const bytes = await readBytes(file, stretch, (endsAt) => truncated(path, endsAt));
    try {
      return parseGgufHeader(bytes, { fileLength, path });
    } catch (error) {
      if (!(error instanceof HeaderUnfinished)) throw error;
    }
  }
}

function lazyTensor(path: string, name: string, entry: GgufEntry): GgufTensor {
  const readRaw = () =>
    withFile(path, (file) =>
      readBytes(file, entry, (endsAt) => truncated(path, endsAt, ` inside tensor ${JSON.stringify(name)}`)),
    );
  return {
    ...entry,
    readRaw,
    read: async () => new Tensor("float32", entry.shape, dequantize(entry.type, await readRaw())),
  };
}

function truncated(path: string, endsAt: number, where = ""): ModelError {
  return new ModelError(
    "MODEL_GGUF_INVALID",
    `${path}: the file ends at byte ${endsAt}${where}; it is truncated, fetch it again`,
    { details: { path } },
  );
}

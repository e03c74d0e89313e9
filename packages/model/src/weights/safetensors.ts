// Reads and writes safetensors files, one tensor at a time. Knows the format and the disk, no model.
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DTYPES, type DType, mapFile, Tensor, type TypedArray } from "@flacuna/tensor";
import { ModelError } from "../errors.ts";
import { fileError, MAX_TRANSFER_BYTES, readBytes, withFile } from "./file-reading.ts";
import {
  ALIGNMENT_BYTES,
  byteLength,
  formatSafetensorsHeader,
  HEADER_PREFIX_BYTES,
  MAX_HEADER_BYTES,
  parseSafetensorsHeader,
  type SafetensorsEntry,
} from "./safetensors-header.ts";
import { syncFolder } from "./sync-folder.ts";

/** An opened safetensors file: its header in memory, its tensors on disk. */
export interface SafetensorsFile {
  readonly path: string;
  /** The strings under `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /**
   * The tensor called `name`, read now into memory of its own, or in the file's pages where it is mapped.
   *
   * @throws ModelError `MODEL_INVALID_ARGUMENT` for an unknown name, `MODEL_SAFETENSORS_INVALID` when the file has
   * shrunk, `MODEL_FILE_UNREADABLE` when the system refuses
   */
  read(name: string): Promise<Tensor>;
}

/** One tensor to be written; `read` is called when its turn comes, and its result is let go afterwards. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  read(): Tensor | Promise<Tensor>;
}

/** How a file is opened. */
export interface ReadSafetensorsOptions {
  /**
   * Whether tensors are the file's pages in memory, which processes share, where the system can; default false. Writes into
   * such a tensor stay in this process. Only for a file that is never changed in place: if it is shortened, the process dies.
   */
  readonly isMapped?: boolean;
}

/**
 * Opens the safetensors file at `path`: reads and checks its header, no tensor. No file handle is kept.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE`, or `MODEL_SAFETENSORS_INVALID` when the header does not hold
 */
export async function readSafetensors(
  path: string,
  { isMapped = false }: ReadSafetensorsOptions = {},
): Promise<SafetensorsFile> {
  const { header, mapped } = await withFile(path, async (file) => {
    const { size } = await file.stat();
    const headerLength = await readHeaderLength(file, size, path);
    const bytes = await readStretch(file, HEADER_PREFIX_BYTES, headerLength, path);
    const dataStart = HEADER_PREFIX_BYTES + headerLength;
    return {
      header: parseSafetensorsHeader(decodeUtf8(bytes, path), { dataStart, fileLength: size, path }),
      mapped: isMapped ? mapFile(file.fd, size) : undefined,
    };
  });
  return {
    path,
    ...header,
    async read(name) {
      const entry = header.tensors.get(name);
      if (entry === undefined) {
        throw new ModelError("MODEL_INVALID_ARGUMENT", `${path}: there is no tensor ${JSON.stringify(name)}`);
      }
      if (mapped !== undefined) return tensorOf(entry, mapped.bytes(entry.offset, entry.length));
      return withFile(path, (file) => readTensor(file, entry, path));
    },
  };
}

/**
 * Writes `tensors` as a safetensors file at `path`. The file appears whole or not at all: it is written beside and
 * renamed. Only one tensor is held at a time; on disk they are ordered by what their sizes are multiples of, then by name,
 * so that each is aligned to its element width, and to `ALIGNMENT_BYTES` where its size is a multiple of that.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT` when a name is given twice or what is read is not as announced,
 * `MODEL_FILE_UNREADABLE` when the system refuses
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  options: { readonly metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const ordered = [...tensors].sort((a, b) => alignmentOf(b) - alignmentOf(a) || (a.name < b.name ? -1 : 1));
  const header = formatSafetensorsHeader(ordered, options.metadata ?? {});
  await writeWhole(path, async (file) => {
    await writeBytes(file, header);
    for (const item of ordered) await writeBytes(file, bytesOf(await item.read(), item));
  });
}

/** The largest power of two, up to `ALIGNMENT_BYTES`, that a tensor's size is a multiple of. */
function alignmentOf({ dtype, shape }: TensorToWrite): number {
  const bytes = byteLength(dtype, shape) % ALIGNMENT_BYTES;
  return bytes === 0 ? ALIGNMENT_BYTES : bytes & -bytes;
}

async function readHeaderLength(file: FileHandle, fileLength: number, path: string): Promise<number> {
  if (fileLength < HEADER_PREFIX_BYTES)
    throw damaged(path, `${fileLength} bytes are too few for a safetensors file`);
  const prefix = await readStretch(file, 0, HEADER_PREFIX_BYTES, path);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw damaged(path, `a header of ${length} bytes is over the limit of ${MAX_HEADER_BYTES}`);
  if (length > BigInt(fileLength - HEADER_PREFIX_BYTES)) {
    throw damaged(
      path,
      `the header claims ${length} bytes, the file has ${fileLength}; it is truncated or not safetensors`,
    );
  }
  return Number(length);
}

async function readTensor(file: FileHandle, entry: SafetensorsEntry, path: string): Promise<Tensor> {
  const { buffer } = await readStretch(file, entry.offset, entry.length, path);
  return tensorOf(entry, buffer);
}

function tensorOf({ dtype, shape, length }: SafetensorsEntry, buffer: ArrayBuffer): Tensor {
  const { arrayType, byteWidth } = DTYPES[dtype];
  return new Tensor(dtype, shape, new arrayType(buffer, 0, length / byteWidth) as TypedArray);
}

const readStretch = (file: FileHandle, offset: number, length: number, path: string) =>
  readBytes(file, { offset, length }, (endsAt) =>
    damaged(path, `the file ends at byte ${endsAt}, inside a tensor; it is truncated`),
  );

async function writeBytes(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const size = Math.min(bytes.length - done, MAX_TRANSFER_BYTES);
    done += (await file.write(bytes, done, size)).bytesWritten;
  }
}

function bytesOf(tensor: Tensor, announced: TensorToWrite): Uint8Array {
  const same = tensor.dtype === announced.dtype && tensor.shape.join() === announced.shape.join();
  if (!same) {
    const { name, dtype, shape } = announced;
    throw new ModelError(
      "MODEL_INVALID_ARGUMENT",
      `tensor ${JSON.stringify(name)}: announced as ${dtype} [${shape.join(", ")}], read as ${tensor.dtype} [${tensor.shape.join(", ")}]`,
    );
  }
  const { data } = tensor;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Runs `write` on a new file beside `path`, then moves it into place once its bytes are on the disk. */
async function writeWhole(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    const file = await open(partial, "w");
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(partial, { force: true });
    throw fileError(cause, path, "written");
  }
}

function decodeUtf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw damaged(path, "the header is not UTF-8; the file is damaged or not safetensors", cause);
  }
}

function damaged(path: string, message: string, cause?: unknown): ModelError {
  return new ModelError("MODEL_SAFETENSORS_INVALID", `${path}: ${message}`, { cause, details: { path } });
}

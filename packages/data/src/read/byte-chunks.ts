// The bytes of a file, decompressed when its name ends in .gz; no parsing.
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { DataError } from "../errors.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * The bytes of a file in order, in chunks of bounded size; a name ending in `.gz` is decompressed on the way.
 *
 * @throws DataError `DATA_FILE_UNREADABLE` when the file cannot be opened or is not gzip data,
 *   `DATA_FILE_TRUNCATED` when the compressed data ends early
 */
export async function* readByteChunks(path: string): AsyncGenerator<Buffer, void, undefined> {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  if (!path.endsWith(".gz")) return yield* chunksOf(file, path);
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  file.on("error", (error) => gunzip.destroy(error));
  try {
    yield* chunksOf(file.pipe(gunzip), path);
  } finally {
    file.destroy();
  }
}

async function* chunksOf(
  stream: AsyncIterable<Buffer>,
  path: string,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        throw fileError(path, cause);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

function fileError(path: string, cause: unknown): DataError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "Z_BUF_ERROR") {
    const text = `${path}: the compressed data ends early; the file is truncated, fetch it again`;
    return new DataError("DATA_FILE_TRUNCATED", text, { path, cause });
  }
  return new DataError("DATA_FILE_UNREADABLE", `${path}: cannot be read: ${message}`, { path, cause });
}

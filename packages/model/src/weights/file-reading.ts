// Reading stretches of a file, with the package's errors. Knows no format.
import { type FileHandle, open } from "node:fs/promises";
import { ModelError } from "../errors.ts";

/** The system's limit on one read or write is 2 GiB; pieces stay well under it. */
export const MAX_TRANSFER_BYTES = 1 << 28;

/**
 * What `use` makes of the file at `path`, which is open meanwhile.
 *
 * @throws ModelError `MODEL_FILE_UNREADABLE` when the system refuses
 */
export async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, "r");
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw fileError(cause, path, "read");
  }
}

/**
 * `length` bytes of `file` from `offset` on, in memory of their own.
 *
 * @param truncated makes the error for a file that ends at the given byte
 */
export async function readBytes(
  file: FileHandle,
  { offset, length }: { readonly offset: number; readonly length: number },
  truncated: (endsAt: number) => Error,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const size = Math.min(length - done, MAX_TRANSFER_BYTES);
    const { bytesRead } = await file.read(bytes, done, size, offset + done);
    if (bytesRead === 0) throw truncated(offset + done);
    done += bytesRead;
  }
  return bytes;
}

/** System errors become the package's; what is already understood passes. */
export function fileError(cause: unknown, path: string, verb: "read" | "written"): unknown {
  if (!(cause instanceof Error) || !("syscall" in cause)) return cause;
  return new ModelError("MODEL_FILE_UNREADABLE", `${path} cannot be ${verb}: ${cause.message}`, {
    cause,
    details: { path },
  });
}

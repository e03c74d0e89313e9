// A file that is still coming: it grows at its end, knows the hash of what is there, and moves to its place when that is
// right. Whatever ends the process, what had come is there for the next.

import type { Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { ModelError } from "../errors.ts";
import { fileError } from "../weights/file-reading.ts";
import { syncFolder } from "../weights/sync-folder.ts";
import { type ContentHash, startHash } from "./content-hash.ts";

/** What a file will be. */
export interface Content {
  readonly sizeBytes: number;
  readonly hash: ContentHash;
}

/** Where a file grows until it is whole: beside its place, under a name that no other tool takes up. */
const partialPath = (path: string): string => `${path}.flacuna-partial`;

/** How much of the file for `path` came before; 0 when nothing did. */
export async function partialBytes(path: string): Promise<number> {
  try {
    return (await stat(partialPath(path))).size;
  } catch {
    return 0;
  }
}

const READ_BYTES = 1 << 20;

/** An open file; only one process may hold it. */
export class PartialFile {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #content: Content;
  #hash: Hash;
  #sizeBytes = 0;

  private constructor(file: FileHandle, path: string, content: Content) {
    this.#file = file;
    this.#path = path;
    this.#content = content;
    this.#hash = startHash(content.hash.algorithm, content.sizeBytes);
  }

  /**
   * Opens what has come of the file for `path`, or a new one, in a folder that is there.
   *
   * @throws ModelError `MODEL_FILE_UNREADABLE`
   */
  static async open(path: string, content: Content, signal?: AbortSignal): Promise<PartialFile> {
    const file = await written(path, () => open(partialPath(path), constants.O_RDWR | constants.O_CREAT));
    const partial = new PartialFile(file, path, content);
    try {
      await partial.#takeUp(signal);
      return partial;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** How much is there. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether all is there, and is what it should be. */
  get isRight(): boolean {
    const { sizeBytes, hash } = this.#content;
    return this.#sizeBytes === sizeBytes && this.#hash.copy().digest("hex") === hash.digest;
  }

  /**
   * Adds to the end; what would go beyond the file's size is left out.
   *
   * @throws ModelError `MODEL_DISK_FULL`, `MODEL_FILE_UNREADABLE`; the file ends with what could be written
   */
  async append(chunk: Uint8Array): Promise<void> {
    let rest = chunk.subarray(0, this.#content.sizeBytes - this.#sizeBytes);
    while (rest.length > 0) {
      const bytes = rest;
      const { bytesWritten } = await written(this.#path, () =>
        this.#file.write(bytes, 0, bytes.length, this.#sizeBytes),
      );
      this.#hash.update(bytes.subarray(0, bytesWritten));
      this.#sizeBytes += bytesWritten;
      rest = bytes.subarray(bytesWritten);
    }
  }

  /** Begins again with nothing. */
  async clear(): Promise<void> {
    await written(this.#path, () => this.#file.truncate(0));
    this.#hash = startHash(this.#content.hash.algorithm, this.#content.sizeBytes);
    this.#sizeBytes = 0;
  }

  /** Moves the file to its place once its bytes are on the disk. */
  async finish(): Promise<void> {
    await written(this.#path, async () => {
      await this.#file.sync();
      await rename(partialPath(this.#path), this.#path);
      await syncFolder(dirname(this.#path));
    });
  }

  /** Leaves nothing; the file is still to be closed. */
  remove(): Promise<void> {
    return rm(partialPath(this.#path), { force: true });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #takeUp(signal: AbortSignal | undefined): Promise<void> {
    const { size } = await this.#file.stat();
    if (size > this.#content.sizeBytes) return this.clear();
    const buffer = new Uint8Array(Math.min(READ_BYTES, size));
    while (this.#sizeBytes < size) {
      signal?.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#sizeBytes);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#sizeBytes += bytesRead;
    }
  }
}

/** The result of `write`, with the package's errors. */
async function written<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw fileError(cause, path, "written");
    throw new ModelError(
      "MODEL_DISK_FULL",
      `${path} cannot be written: the disk is full. What has come is kept: free some space, and the same call goes on from there`,
      { cause, details: { path } },
    );
  }
}

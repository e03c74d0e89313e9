// A file that grows at its end through a buffer, and can be cut back to a known size.
import { type FileHandle, open } from "node:fs/promises";

const BUFFER_BYTES = 1 << 20;

/** An open file; bytes reach the disk at `sync`, or earlier when the buffer is full. */
export class AppendFile {
  readonly #file: FileHandle;
  #sizeBytes: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  private constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
  }

  /** Opens or creates a file and cuts it back to `sizeBytes`; nothing when it is shorter than that. */
  static async open(path: string, sizeBytes: number): Promise<AppendFile | undefined> {
    const file = await open(path, "a");
    if ((await file.stat()).size < sizeBytes) {
      await file.close();
      return undefined;
    }
    await file.truncate(sizeBytes);
    return new AppendFile(file, sizeBytes);
  }

  /** Size with everything appended so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes the bytes over; they must not change afterwards. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.byteLength;
    this.#sizeBytes += bytes.byteLength;
    if (this.#pendingBytes >= BUFFER_BYTES) await this.#flush();
  }

  /** Returns when everything appended is on disk. */
  async sync(): Promise<void> {
    await this.#flush();
    await this.#file.datasync();
  }

  /** Closes without writing what is still in the buffer. */
  close(): Promise<void> {
    return this.#file.close();
  }

  async #flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#file.appendFile(bytes);
  }
}

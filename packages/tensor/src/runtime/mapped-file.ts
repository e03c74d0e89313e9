// Files as memory: read when looked at, shared with other processes, given back when nobody holds a part of it.
import { mapMemory, type Pointer, viewMemory } from "./c-api.ts";

/** A file whose bytes are memory of this process. */
export interface MappedFile {
  /**
   * A buffer of the file's own bytes. What is written into it changes neither the file nor what others see. Another process
   * that shortens the file ends this one: map only files that are replaced and not rewritten.
   */
  bytes(offset: number, byteLength: number): ArrayBuffer;
}

/** What keeps each buffer's mapping from being closed. */
const mappings = new WeakMap<ArrayBuffer, MappedFile>();

const forgotten = new FinalizationRegistry<() => void>((close) => close());

/**
 * Maps the open file `descriptor`, which may be closed then. The mapping is closed once it and all its buffers have been
 * collected as garbage; a file may be deleted before.
 *
 * @returns undefined where the system cannot, as on Windows: read the file instead
 */
export function mapFile(descriptor: number, byteLength: number): MappedFile | undefined {
  const mapping = byteLength > 0 ? mapMemory(descriptor, byteLength) : undefined;
  if (mapping === undefined) return undefined;
  const mapped = new Mapping(mapping.pointer, byteLength);
  forgotten.register(mapped, mapping.close);
  return mapped;
}

class Mapping implements MappedFile {
  readonly #pointer: Pointer;
  readonly #byteLength: number;

  constructor(pointer: Pointer, byteLength: number) {
    this.#pointer = pointer;
    this.#byteLength = byteLength;
  }

  bytes(offset: number, byteLength: number): ArrayBuffer {
    if (offset < 0 || byteLength < 0 || offset + byteLength > this.#byteLength) {
      throw new RangeError(`bytes ${offset} to ${offset + byteLength} of a file of ${this.#byteLength}`);
    }
    if (byteLength === 0) return new ArrayBuffer(0);
    const buffer = viewMemory(this.#pointer + BigInt(offset), byteLength);
    mappings.set(buffer, this);
    return buffer;
  }
}

// The header of a GGUF file: version, metadata and the places of the tensors, parsed from what may be hostile.
import { ModelError } from "../errors.ts";
import { GGUF_TYPES, type GgufType, ggufByteLength, ggufTypeOf } from "./gguf-types.ts";

/** A value of the metadata; 64-bit integers are numbers where those are exact, else bigints. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

/** Where one tensor lies in a GGUF file. */
export interface GgufEntry {
  readonly type: GgufType;
  /** Row major, outermost axis first: the reverse of how the file lists it. */
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes of the tensor. */
  readonly length: number;
}

/** What a header says. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Tensors in the order of the header. */
  readonly tensors: ReadonlyMap<string, GgufEntry>;
}

/** Thrown when the bytes at hand end inside the header while the file goes on. */
export class HeaderUnfinished extends Error {}

const MAGIC = 0x46554747; // "GGUF", read as a little-endian number
const DEFAULT_ALIGNMENT = 32;
const MAX_DIMENSIONS = 4;
/** Arrays in arrays in the metadata: one level occurs, more than this is an attack on the stack. */
const MAX_NESTING = 8;

/**
 * The header that begins a file of `fileLength` bytes.
 *
 * @param bytes the first bytes of the file, as many as are at hand
 * @throws HeaderUnfinished when more bytes are needed and the file has them
 * @throws ModelError `MODEL_GGUF_INVALID`; `MODEL_UNSUPPORTED` for another version or a tensor type not read here
 */
export function parseGgufHeader(
  bytes: Uint8Array,
  { fileLength, path }: { readonly fileLength: number; readonly path: string },
): GgufHeader {
  const cursor = new Cursor(bytes, fileLength, path);
  if (cursor.uint32() !== MAGIC) throw cursor.invalid("it does not begin with GGUF; is it a GGUF file?");
  const version = cursor.uint32();
  checkVersion(version, path);
  const tensorCount = cursor.count("tensor count", 24);
  const metadataCount = cursor.count("metadata count", 13);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) {
    const key = cursor.string();
    if (metadata.has(key)) throw cursor.invalid(`metadata ${quote(key)} is given twice`);
    metadata.set(key, cursor.value(cursor.uint32(), 0));
  }
  const infos = Array.from({ length: tensorCount }, () => readTensorInfo(cursor));
  return { version, metadata, tensors: placeTensors(cursor, infos, alignmentOf(metadata, cursor)) };
}

interface TensorInfo {
  readonly name: string;
  readonly type: GgufType;
  readonly shape: readonly number[];
  /** Bytes from the start of the data. */
  readonly start: number;
}

function readTensorInfo(cursor: Cursor): TensorInfo {
  const name = cursor.string();
  const rank = cursor.uint32();
  if (rank > MAX_DIMENSIONS)
    throw cursor.invalid(`tensor ${quote(name)}: ${rank} axes, at most ${MAX_DIMENSIONS} are possible`);
  const shape = Array.from({ length: rank }, () => cursor.uint64()).reverse();
  const id = cursor.uint32();
  const start = cursor.uint64();
  const type = ggufTypeOf(id);
  if (type === undefined) {
    throw new ModelError(
      "MODEL_UNSUPPORTED",
      `${cursor.path}: tensor ${quote(name)} is of type ${id}; read are ${Object.keys(GGUF_TYPES).join(", ")}`,
      { details: { path: cursor.path, tensor: name, type: id } },
    );
  }
  const { blockSize } = GGUF_TYPES[type];
  const width = shape.at(-1) ?? 1;
  if (width % blockSize !== 0) {
    throw cursor.invalid(`tensor ${quote(name)}: rows of ${width} are no whole blocks of ${blockSize}`);
  }
  return { name, type, shape, start };
}

function placeTensors(
  cursor: Cursor,
  infos: readonly TensorInfo[],
  alignment: number,
): ReadonlyMap<string, GgufEntry> {
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = new Map<string, GgufEntry>();
  for (const { name, type, shape, start } of infos) {
    if (tensors.has(name)) throw cursor.invalid(`tensor ${quote(name)} is given twice`);
    if (start % alignment !== 0) {
      throw cursor.invalid(`tensor ${quote(name)} begins at ${start}, which is no multiple of ${alignment}`);
    }
    const length = ggufByteLength(
      type,
      shape.reduce((a, b) => a * b, 1),
    );
    const offset = dataStart + start;
    if (!(offset + length <= cursor.fileLength)) {
      throw cursor.invalid(
        `tensor ${quote(name)} ends at byte ${offset + length}, the file at ${cursor.fileLength}; it is truncated, fetch it again`,
      );
    }
    tensors.set(name, { type, shape, offset, length });
  }
  return tensors;
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, cursor: Cursor): number {
  const value = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 8 && value % 8 === 0) return value;
  throw cursor.invalid(`general.alignment must be a multiple of 8, got ${quote(String(value))}`);
}

function checkVersion(version: number, path: string): void {
  if (version === 2 || version === 3) return;
  // A byte-swapped small number is the mark of a big-endian file.
  const what = version > 0xffff ? "a big-endian file" : `version ${version}`;
  throw new ModelError(
    "MODEL_UNSUPPORTED",
    `${path}: ${what}; GGUF is read in versions 2 and 3, little endian`,
    { details: { path, version } },
  );
}

type Reader = (cursor: Cursor, nesting: number) => GgufValue;

interface ValueType {
  /** Bytes that a value takes at least. */
  readonly minBytes: number;
  readonly read: Reader;
}

/** The types of metadata values by their number. */
const VALUE_TYPES: readonly ValueType[] = [
  { minBytes: 1, read: (cursor) => cursor.take(1).getUint8(0) },
  { minBytes: 1, read: (cursor) => cursor.take(1).getInt8(0) },
  { minBytes: 2, read: (cursor) => cursor.take(2).getUint16(0, true) },
  { minBytes: 2, read: (cursor) => cursor.take(2).getInt16(0, true) },
  { minBytes: 4, read: (cursor) => cursor.uint32() },
  { minBytes: 4, read: (cursor) => cursor.take(4).getInt32(0, true) },
  { minBytes: 4, read: (cursor) => cursor.take(4).getFloat32(0, true) },
  { minBytes: 1, read: (cursor) => cursor.take(1).getUint8(0) !== 0 },
  { minBytes: 8, read: (cursor) => cursor.string() },
  { minBytes: 12, read: (cursor, nesting) => cursor.array(nesting) },
  { minBytes: 8, read: (cursor) => exact(cursor.take(8).getBigUint64(0, true)) },
  { minBytes: 8, read: (cursor) => exact(cursor.take(8).getBigInt64(0, true)) },
  { minBytes: 8, read: (cursor) => cursor.take(8).getFloat64(0, true) },
];

const exact = (value: bigint): number | bigint =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value;

/** Reads little-endian values one after another; every length is checked against the file before it is believed. */
class Cursor {
  position = 0;
  readonly fileLength: number;
  readonly path: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  // A byte order mark may be a token.
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(bytes: Uint8Array, fileLength: number, path: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.fileLength = fileLength;
    this.path = path;
  }

  /** Where the next `length` bytes begin; they are at hand. */
  #advance(length: number): number {
    const end = this.position + length;
    if (end > this.fileLength) {
      throw this.invalid(
        `the header goes on after byte ${this.fileLength}, where the file ends; it is truncated, fetch it again`,
      );
    }
    if (end > this.#bytes.length) throw new HeaderUnfinished();
    const start = this.position;
    this.position = end;
    return start;
  }

  /** A view that begins at the next `length` bytes. */
  take(length: number): DataView {
    const start = this.#advance(length);
    return new DataView(this.#view.buffer, this.#view.byteOffset + start, length);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  uint64(): number {
    const value = this.#view.getBigUint64(this.#advance(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.invalid(`${value} is too large for a size`);
    return Number(value);
  }

  /** A number of things of at least `minBytes` each: no more than the rest of the file can hold. */
  count(name: string, minBytes: number): number {
    const value = this.uint64();
    if (value * minBytes > this.fileLength - this.position) {
      throw this.invalid(`${name} ${value} is more than the file can hold; it is truncated or damaged`);
    }
    return value;
  }

  string(): string {
    const length = this.count("string length", 1);
    const start = this.#advance(length);
    return this.#utf8.decode(this.#bytes.subarray(start, start + length));
  }

  value(type: number, nesting: number): GgufValue {
    return this.#typeOf(type).read(this, nesting);
  }

  array(nesting: number): GgufValue[] {
    if (nesting >= MAX_NESTING) throw this.invalid("arrays are nested too deeply");
    const { read, minBytes } = this.#typeOf(this.uint32());
    const length = this.count("array length", minBytes);
    const values: GgufValue[] = [];
    for (let i = 0; i < length; i++) values.push(read(this, nesting + 1));
    return values;
  }

  invalid(message: string): ModelError {
    return new ModelError("MODEL_GGUF_INVALID", `${this.path}: ${message}`, { details: { path: this.path } });
  }

  #typeOf(type: number): ValueType {
    const known = VALUE_TYPES[type];
    if (known === undefined) throw this.invalid(`metadata type ${type} is unknown`);
    return known;
  }
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 80));

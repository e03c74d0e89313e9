// The header of a safetensors file: parsing what may be hostile, and formatting. Touches no disk and knows no model.
import { DTYPES, type DType } from "@flacuna/tensor";
import { ModelError } from "../errors.ts";

/** Where one tensor lies in a safetensors file. */
export interface SafetensorsEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes of the tensor. */
  readonly length: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  /** The strings under `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors in the order of the header. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/** Bytes before the header: its length as a little-endian 64-bit number. */
export const HEADER_PREFIX_BYTES = 8;

/** Where tensors begin and what they are aligned to where their sizes allow it: a line of a CPU's cache. */
export const ALIGNMENT_BYTES = 64;

/** Largest header that is read, the limit of the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000;

/** The format's dtype names that have a dtype here. */
const DTYPE_NAMES = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
} as const satisfies Record<string, DType>;

const NAME_OF_DTYPE = new Map<DType, string>(
  Object.entries(DTYPE_NAMES).map(([name, dtype]) => [dtype, name]),
);

/**
 * The header in `text`, checked as the reference implementation does: known dtypes, sizes that fit the shapes, and
 * tensors that cover the data without holes or overlaps.
 *
 * @param text the header's JSON
 * @param layout `dataStart`: where the data begins in the file; `fileLength`: bytes in the file; `path` for messages
 * @throws ModelError `MODEL_SAFETENSORS_INVALID`
 */
export function parseSafetensorsHeader(
  text: string,
  layout: { readonly dataStart: number; readonly fileLength: number; readonly path: string },
): SafetensorsHeader {
  const fail = (message: string, cause?: unknown): ModelError =>
    new ModelError("MODEL_SAFETENSORS_INVALID", `${layout.path}: ${message}`, {
      cause,
      details: { path: layout.path },
    });
  let json: unknown;
  let duplicate: string | undefined;
  try {
    json = JSON.parse(text);
    duplicate = findDuplicateKey(text);
  } catch (cause) {
    throw fail("the header is not readable JSON; the file is damaged or not safetensors", cause);
  }
  if (!isRecord(json)) throw fail("the header is not a JSON object");
  if (duplicate !== undefined) throw fail(`the header names ${JSON.stringify(duplicate)} twice`);
  const tensors = new Map<string, SafetensorsEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") {
      if (!isRecord(value) || Object.values(value).some((item) => typeof item !== "string")) {
        throw fail("__metadata__ must map strings to strings");
      }
      metadata = value as Record<string, string>;
    } else {
      tensors.set(
        name,
        parseEntry(value, layout.dataStart, (message) => fail(`tensor ${JSON.stringify(name)}: ${message}`)),
      );
    }
  }
  checkCoverage(tensors, layout.dataStart, layout.fileLength, fail);
  return { metadata, tensors };
}

/**
 * The header of `tensors` laid out one after another in the given order, padded with spaces so that the data begin at a
 * multiple of `ALIGNMENT_BYTES`.
 */
export function formatSafetensorsHeader(
  tensors: Iterable<{ readonly name: string; readonly dtype: DType; readonly shape: readonly number[] }>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) entries.push(["__metadata__", metadata]);
  const names = new Set<string>(["__metadata__"]);
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (names.has(name)) {
      throw new ModelError(
        "MODEL_INVALID_ARGUMENT",
        `safetensors: a tensor named ${JSON.stringify(name)} is given twice or reserved`,
      );
    }
    names.add(name);
    const end = offset + byteLength(dtype, shape);
    entries.push([name, { dtype: NAME_OF_DTYPE.get(dtype), shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Not `Object.fromEntries`: an object would move names that look like integers to the front.
  const text = `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;
  const json = new TextEncoder().encode(text);
  const length = Math.ceil((HEADER_PREFIX_BYTES + json.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const padded = new Uint8Array(length).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - HEADER_PREFIX_BYTES), true);
  padded.set(json, HEADER_PREFIX_BYTES);
  return padded;
}

/** Bytes of a tensor of `shape`. */
export function byteLength(dtype: DType, shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, DTYPES[dtype].byteWidth);
}

function parseEntry(
  value: unknown,
  dataStart: number,
  fail: (message: string) => ModelError,
): SafetensorsEntry {
  if (!isRecord(value)) throw fail("expected an object with dtype, shape and data_offsets");
  const { dtype: name, shape, data_offsets: offsets } = value;
  if (typeof name !== "string" || !Object.hasOwn(DTYPE_NAMES, name)) {
    throw fail(
      `dtype ${JSON.stringify(name)?.slice(0, 40)} is unknown; known: ${Object.keys(DTYPE_NAMES).join(", ")}`,
    );
  }
  const dtype = DTYPE_NAMES[name as keyof typeof DTYPE_NAMES];
  if (!isCounts(shape)) throw fail("shape must be an array of non-negative integers");
  if (!isCounts(offsets) || offsets.length !== 2)
    throw fail("data_offsets must be two non-negative integers");
  const [begin, end] = offsets as [number, number];
  const expected = byteLength(dtype, shape);
  if (end - begin !== expected) {
    throw fail(
      `${name} of shape [${shape.join(", ")}] needs ${expected} bytes, data_offsets span ${end - begin}`,
    );
  }
  return { dtype, shape, offset: dataStart + begin, length: end - begin };
}

function checkCoverage(
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  dataStart: number,
  fileLength: number,
  fail: (message: string) => ModelError,
): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length);
  let expected = dataStart;
  for (const [name, { offset, length }] of ordered) {
    if (offset !== expected) {
      const what = offset < expected ? "overlaps the tensor before it" : "leaves a hole before it";
      throw fail(`tensor ${JSON.stringify(name)} ${what}`);
    }
    expected = offset + length;
  }
  if (expected > fileLength) {
    throw fail(
      `the tensors end at byte ${expected}, the file at ${fileLength}; it is truncated, fetch it again`,
    );
  }
  if (expected < fileLength)
    throw fail(`${fileLength - expected} bytes after the last tensor belong to none`);
}

/** The first key that an object in the valid JSON `text` has twice; `JSON.parse` would keep the last one silently. */
function findDuplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  const token = /"([^"\\]*(?:\\.[^"\\]*)*)"\s*(:?)|[{}]/g;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === "{") open.push(new Set());
    else if (match[0] === "}") open.pop();
    else if (match[2] === ":") {
      const key = JSON.parse(`"${match[1]}"`) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

// The elements of one JSON array of any size, one at a time; knows nothing of what they mean.
import { getManyValues, isMany, none } from "stream-chain/core";
import { jsonParser } from "stream-json/parser.js";
import { streamArray } from "stream-json/streamers/stream-array.js";
import { DataError } from "../errors.ts";
import { readByteChunks } from "./byte-chunks.ts";

/** One element of the array and its 0-based number. */
export interface JsonArrayElement {
  readonly index: number;
  readonly value: unknown;
}

/**
 * The elements of a file that is one JSON array, in order, in memory bounded by the largest element. `.gz` is
 * decompressed.
 *
 * When the text is malformed the file is read a second time, to name the record and the byte.
 *
 * @throws DataError `DATA_JSON_MALFORMED` (with `index` and `byteOffset`), `DATA_FILE_TRUNCATED` when the text ends
 *   inside the array, and those of `readByteChunks`
 */
export async function* readJsonArray(path: string): AsyncGenerator<JsonArrayElement, void, undefined> {
  const parser = new ArrayParser();
  let byteOffset = 0;
  for await (const chunk of readByteChunks(path)) {
    let elements: JsonArrayElement[];
    try {
      elements = parser.push(chunk);
    } catch {
      throw await locateMalformed(path, byteOffset);
    }
    byteOffset += chunk.length;
    yield* elements;
  }
  yield* endOf(parser, path, byteOffset);
}

function endOf(parser: ArrayParser, path: string, byteOffset: number): JsonArrayElement[] {
  try {
    return parser.end();
  } catch (cause) {
    const index = parser.count;
    const message = `${path}: the text ends at byte ${byteOffset} inside record ${index}, before the closing "]"; the file is truncated, fetch it again`;
    throw new DataError("DATA_FILE_TRUNCATED", message, { path, index, byteOffset, cause });
  }
}

/** Reads again up to the chunk that failed, then byte by byte: the parser throws at the byte that is wrong. */
async function locateMalformed(path: string, failedChunkStart: number): Promise<DataError> {
  const parser = new ArrayParser();
  let byteOffset = 0;
  try {
    for await (const chunk of readByteChunks(path)) {
      const whole = Math.min(chunk.length, Math.max(0, failedChunkStart - byteOffset));
      parser.push(chunk.subarray(0, whole));
      byteOffset += whole;
      for (let at = whole; at < chunk.length; at++, byteOffset++) parser.push(chunk.subarray(at, at + 1));
    }
    parser.end();
  } catch (cause) {
    const index = parser.count;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${path}: record ${index}, byte ${byteOffset}: not valid JSON (${reason}); the file must be one JSON array of records`;
    return new DataError("DATA_JSON_MALFORMED", message, { path, index, byteOffset, cause });
  }
  return new DataError("DATA_FILE_UNREADABLE", `${path}: the file changed while it was read; read it again`, {
    path,
  });
}

/** Bytes in, whole elements out. */
class ArrayParser {
  /** Whole elements seen so far. */
  count = 0;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #parse = jsonParser({ packValues: true, streamValues: false }) as (
    text: string | typeof none,
  ) => unknown;
  readonly #collect = streamArray() as (token: unknown) => unknown;

  push(bytes: Uint8Array): JsonArrayElement[] {
    return this.#elements(this.#parse(this.#decoder.decode(bytes, { stream: true })));
  }

  end(): JsonArrayElement[] {
    const elements = this.#elements(this.#parse(this.#decoder.decode()));
    return [...elements, ...this.#elements(this.#parse(none))];
  }

  #elements(output: unknown): JsonArrayElement[] {
    const elements: JsonArrayElement[] = [];
    if (output === none) return elements;
    const tokens: unknown[] = isMany(output) ? getManyValues(output) : [output];
    for (const token of tokens) {
      const item = this.#collect(token);
      if (item !== none) elements.push({ index: this.count++, value: (item as { value: unknown }).value });
    }
    return elements;
  }
}

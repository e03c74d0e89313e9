// The values of a JSON Lines file, one at a time; knows nothing of what they mean.
import { isUtf8 } from "node:buffer";
import { DataError } from "../errors.ts";
import { readByteChunks } from "./byte-chunks.ts";

const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = /^\uFEFF/;

/** One value, its 0-based number among the values, and its 1-based line. */
export interface JsonLine {
  readonly index: number;
  readonly line: number;
  readonly value: unknown;
}

/**
 * The values of a file with one JSON text per line, in order, in memory bounded by the longest line. Blank lines are
 * skipped, `.gz` is decompressed.
 *
 * @throws DataError `DATA_JSON_MALFORMED` (with `index` and `line`), `DATA_FILE_TRUNCATED` when the last line has no
 *   end and is no JSON, and those of `readByteChunks`
 */
export async function* readJsonLineValues(path: string): AsyncGenerator<JsonLine, void, undefined> {
  let index = 0;
  for await (const { bytes, line, isEnded } of readLines(path)) {
    const text = decode(bytes, { path, index, line });
    if (text.trim() === "") continue;
    yield { index, line, value: parse(text, { path, index, line, isEnded }) };
    index++;
  }
}

interface Line {
  readonly bytes: Buffer;
  /** 1-based. */
  readonly line: number;
  /** False for a last line without a newline. */
  readonly isEnded: boolean;
}

/** Splits on the byte 0x0A, which occurs in UTF-8 only as the newline itself. */
async function* readLines(path: string): AsyncGenerator<Line, void, undefined> {
  let pending: Buffer[] = [];
  let line = 1;
  for await (const chunk of readByteChunks(path)) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      pending.push(chunk.subarray(start, end));
      yield { bytes: joined(pending), line: line++, isEnded: true };
      pending = [];
      start = end + 1;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  if (pending.length > 0) yield { bytes: joined(pending), line, isEnded: false };
}

function joined(parts: Buffer[]): Buffer {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

interface Place {
  readonly path: string;
  readonly index: number;
  readonly line: number;
}

function decode(bytes: Buffer, place: Place): string {
  if (!isUtf8(bytes)) throw malformed("not valid UTF-8", place);
  const text = bytes.toString("utf8");
  return place.line === 1 ? text.replace(BYTE_ORDER_MARK, "") : text;
}

function parse(text: string, place: Place & { isEnded: boolean }): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (place.isEnded) throw malformed("not valid JSON", place, cause);
    const { path, index, line } = place;
    const message = `${path}: line ${line} (record ${index}) ends before its JSON text does; the file is truncated, fetch it again`;
    throw new DataError("DATA_FILE_TRUNCATED", message, { path, index, line, cause });
  }
}

function malformed(what: string, { path, index, line }: Place, cause?: unknown): DataError {
  const message = `${path}: line ${line} (record ${index}): ${what}; every line must be one JSON text`;
  return new DataError("DATA_JSON_MALFORMED", message, { path, index, line, cause });
}

// Files of instruction rows in each format, as checked `InstructionExample`s; the formats themselves are read elsewhere.
import { DataError } from "../errors.ts";
import { type InstructionExample, parseInstructionExample } from "../instruction-example.ts";
import { readJsonArray } from "./json-array.ts";
import { readJsonLineValues } from "./json-lines.ts";
import { readParquetRows } from "./parquet.ts";

/** How records that are not quite in the layout are treated. */
export interface ReadInstructionOptions {
  /** The `source` of records that have none; without an `id` they get `<defaultSource>_<index>`. */
  readonly defaultSource?: string;
  /**
   * Given each record that is valid in its format but no instruction row, which is then skipped. Without it such a
   * record is an error.
   */
  readonly onMalformed?: (error: DataError) => void;
}

/**
 * The rows of `flan_mini.json`: one JSON array of several GB, streamed in constant memory.
 *
 * @throws DataError `DATA_JSON_MALFORMED`, `DATA_FILE_TRUNCATED`, `DATA_RECORD_MALFORMED`, `DATA_FILE_UNREADABLE`
 */
export function readFlanMiniJson(
  path: string,
  options: ReadInstructionOptions = {},
): AsyncGenerator<InstructionExample, void, undefined> {
  return examplesOf(readJsonArray(path), path, options);
}

/**
 * The rows of a JSON Lines file, one row per line.
 *
 * @throws DataError `DATA_JSON_MALFORMED`, `DATA_FILE_TRUNCATED`, `DATA_RECORD_MALFORMED`, `DATA_FILE_UNREADABLE`
 */
export function readJsonLines(
  path: string,
  options: ReadInstructionOptions = {},
): AsyncGenerator<InstructionExample, void, undefined> {
  return examplesOf(readJsonLineValues(path), path, options);
}

/**
 * The rows of a Parquet file with columns `id`, `source` and `conversations`, the last a `list<struct>` or its JSON.
 *
 * @throws DataError `DATA_PARQUET_MALFORMED`, `DATA_RECORD_MALFORMED`, `DATA_FILE_UNREADABLE`
 */
export function readParquet(
  path: string,
  options: ReadInstructionOptions = {},
): AsyncGenerator<InstructionExample, void, undefined> {
  return examplesOf(parquetRecords(path), path, options);
}

const READERS = {
  ".json": readFlanMiniJson,
  ".jsonl": readJsonLines,
  ".ndjson": readJsonLines,
  ".json.gz": readFlanMiniJson,
  ".jsonl.gz": readJsonLines,
  ".ndjson.gz": readJsonLines,
  ".parquet": readParquet,
} as const;

/**
 * The rows of a file whose name ends in `.json` (one array), `.jsonl` or `.ndjson`, each also with `.gz`, or
 * `.parquet`.
 *
 * @throws DataError `DATA_FORMAT_UNKNOWN` for any other name, and those of the format's reader
 */
export function readInstructionFile(
  path: string,
  options: ReadInstructionOptions = {},
): AsyncGenerator<InstructionExample, void, undefined> {
  for (const [extension, read] of Object.entries(READERS)) {
    if (path.endsWith(extension)) return read(path, options);
  }
  const known = Object.keys(READERS).join(", ");
  const message = `${path}: no reader for this extension; expected one of ${known} (unzip a .zip first)`;
  throw new DataError("DATA_FORMAT_UNKNOWN", message, { path });
}

interface FileRecord {
  readonly index: number;
  readonly line?: number;
  readonly value: unknown;
}

async function* examplesOf(
  records: AsyncIterable<FileRecord>,
  path: string,
  { defaultSource, onMalformed }: ReadInstructionOptions,
): AsyncGenerator<InstructionExample, void, undefined> {
  const defaults = defaultSource === undefined ? {} : { defaultSource };
  for await (const { value, ...place } of records) {
    let example: InstructionExample;
    try {
      example = parseInstructionExample(value, { path, ...place, ...defaults });
    } catch (error) {
      if (onMalformed === undefined || !(error instanceof DataError)) throw error;
      onMalformed(error);
      continue;
    }
    yield example;
  }
}

async function* parquetRecords(path: string): AsyncGenerator<FileRecord, void, undefined> {
  for await (const { index, value } of readParquetRows(path, ["id", "source", "conversations"])) {
    const { conversations } = value;
    yield { index, value: { ...value, conversations: asList(conversations) } };
  }
}

/** Some exports write nested columns as JSON text; anything that is no such text is left for the record's check. */
function asList(conversations: unknown): unknown {
  if (typeof conversations !== "string") return conversations;
  try {
    return JSON.parse(conversations);
  } catch {
    return conversations;
  }
}

// The rows of a Parquet file, one row group in memory at a time; knows nothing of what they mean.
import { stat } from "node:fs/promises";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { DataError } from "../errors.ts";

/** One row as an object of its columns, and its 0-based number in the file. */
export interface ParquetRow {
  readonly index: number;
  readonly value: Record<string, unknown>;
}

/**
 * The rows of a Parquet file in order, in memory bounded by the largest row group. Nested columns such as
 * `list<struct>` become lists of objects.
 *
 * @param columns the columns to read; those the file lacks are left out
 * @throws DataError `DATA_FILE_UNREADABLE`, `DATA_PARQUET_MALFORMED`
 */
export async function* readParquetRows(
  path: string,
  columns?: readonly string[],
): AsyncGenerator<ParquetRow, void, undefined> {
  await assertReadable(path);
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file).catch((cause: unknown) => {
    throw malformed(path, "its footer cannot be read", cause);
  });
  const present = new Set(metadata.schema.map(({ name }) => name));
  const selected = columns?.filter((column) => present.has(column));
  let rowStart = 0;
  for (const [group, { num_rows }] of metadata.row_groups.entries()) {
    const rowEnd = rowStart + Number(num_rows);
    const range = { rowStart, rowEnd, ...(selected === undefined ? {} : { columns: selected }) };
    const rows = await parquetReadObjects({ file, metadata, compressors, ...range }).catch(
      (cause: unknown) => {
        throw malformed(path, `row group ${group} (rows ${rowStart} to ${rowEnd - 1}) cannot be read`, cause);
      },
    );
    for (const [offset, value] of rows.entries()) yield { index: rowStart + offset, value };
    rowStart = rowEnd;
  }
}

async function assertReadable(path: string): Promise<void> {
  try {
    await stat(path);
  } catch (cause) {
    const message = `${path}: cannot be read: ${(cause as Error).message}`;
    throw new DataError("DATA_FILE_UNREADABLE", message, { path, cause });
  }
}

function malformed(path: string, what: string, cause: unknown): DataError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `${path}: ${what}: ${reason}; the file is truncated or not Parquet, fetch it again`;
  return new DataError("DATA_PARQUET_MALFORMED", message, { path, cause });
}

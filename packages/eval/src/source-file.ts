// Reading benchmark files: text with or without gzip, and folders. The formats are elsewhere.

import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { EvalError } from "./errors.ts";

const GZIP_MAGIC = [0x1f, 0x8b];

/**
 * A file as UTF-8 text, unpacked if it is gzip-compressed, otherwise unchanged.
 *
 * @throws EvalError `EVAL_FILE_MISSING`; `EVAL_FILE_MALFORMED` when the gzip stream is damaged
 */
export async function readSourceText(file: string): Promise<string> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new EvalError("EVAL_FILE_MISSING", "cannot read this benchmark file", { file, cause });
  });
  const isGzip = GZIP_MAGIC.every((byte, at) => bytes[at] === byte);
  const text = isGzip ? await unpack(file, bytes) : bytes;
  return text.toString("utf8");
}

/**
 * The names in `folder` that end in `suffix`, without it, in code-point order as Python sorts them.
 *
 * @throws EvalError `EVAL_FILE_MISSING` when the folder is missing or holds no such file
 */
export async function listSources(folder: string, suffix: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new EvalError("EVAL_FILE_MISSING", "cannot read this benchmark folder", { file: folder, cause });
  });
  const found = names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  if (found.length === 0) {
    throw new EvalError("EVAL_FILE_MISSING", "this benchmark folder is empty", {
      file: folder,
      expected: `at least one file *${suffix}`,
      got: `${names.length} other names`,
    });
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}

async function unpack(file: string, bytes: Buffer): Promise<Buffer> {
  return promisify(gunzip)(bytes).catch((cause: unknown) => {
    throw new EvalError("EVAL_FILE_MALFORMED", "damaged gzip stream", { file, cause });
  });
}

// Reads one JSON file of a checkpoint, with the package's errors. Knows no file's meaning.
import { readFile } from "node:fs/promises";
import { ModelError, type ModelErrorCode } from "./errors.ts";

/**
 * The JSON object in the file at `path`, or undefined when there is no such file.
 *
 * @param invalidCode the code to report when the file holds something else
 * @throws ModelError `MODEL_FILE_UNREADABLE` or `invalidCode`
 */
export async function readJsonObject(
  path: string,
  invalidCode: ModelErrorCode,
): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ModelError("MODEL_FILE_UNREADABLE", `${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { path },
    });
  }
  const fail = (cause?: unknown) =>
    new ModelError(invalidCode, `${path} does not hold a JSON object; fetch it again`, {
      cause,
      details: { path },
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail(cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fail();
  return value as Record<string, unknown>;
}

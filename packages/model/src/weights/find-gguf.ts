// Which GGUF file a path stands for. Opens none.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ModelError } from "../errors.ts";

/**
 * The GGUF file that `path` stands for: itself when it is a file, else the only one in the folder. Undefined for a
 * folder without one, or with weights as safetensors, and for what does not exist.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT` when the folder holds several
 */
export async function findGguf(path: string): Promise<string | undefined> {
  const place = await stat(path).catch(() => undefined);
  if (place === undefined || place.isFile()) return place && path;
  const names = await readdir(path).catch((): string[] => []);
  if (names.some((name) => name.endsWith(".safetensors"))) return undefined;
  const files = names.filter((name) => name.endsWith(".gguf")).sort();
  if (files.length > 1) {
    throw new ModelError(
      "MODEL_INVALID_ARGUMENT",
      `${path} holds ${files.length} GGUF files (${files.slice(0, 3).join(", ")}${files.length > 3 ? ", …" : ""}); ` +
        "give the path of one of them",
      { details: { path, files } },
    );
  }
  return files[0] && join(path, files[0]);
}

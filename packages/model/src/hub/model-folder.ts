// Whether a folder on this machine holds a whole model. Looks at names and sizes, and at the index of shards.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ModelError } from "../errors.ts";
import { readJsonObject } from "../read-json.ts";
import { type ListedFile, wantedFiles } from "./wanted-files.ts";

/** A model's path, which is that of its folder or of its one GGUF, and its files. */
export interface ModelFolder {
  readonly path: string;
  readonly files: readonly ListedFile[];
}

/**
 * The model in `folder`, known to be complete.
 *
 * @param choice one file in place of the choice made here
 * @throws ModelError as `wantedFiles`; `MODEL_NOT_FOUND` when shards are missing; `MODEL_FILE_UNREADABLE`
 */
export async function readModelFolder(folder: string, choice?: string): Promise<ModelFolder> {
  const listed = await listFolder(folder, choice);
  const shards = await shardNames(folder, listed);
  const files = wantedFiles(listed, folder, { choice, shards });
  const single = files.length === 1 && files[0]!.path.endsWith(".gguf") ? files[0]!.path : "";
  const here = new Set(files.map(({ path }) => path));
  const missing = here.has("model.safetensors") ? [] : [...(shards ?? [])].filter((name) => !here.has(name));
  if (missing.length === 0 || single !== "") return { path: join(folder, single), files };
  throw new ModelError(
    "MODEL_NOT_FOUND",
    `${folder} lacks ${missing.length} of its shards, such as ${missing[0]!.slice(0, 80)}; fetch it again`,
    { details: { folder, missing } },
  );
}

/** The names of the shards by their index; undefined where there is none. */
async function shardNames(
  folder: string,
  listed: readonly ListedFile[],
): Promise<ReadonlySet<string> | undefined> {
  const name = "model.safetensors.index.json";
  if (!listed.some(({ path }) => path === name)) return undefined;
  const index = await readJsonObject(join(folder, name), "MODEL_SAFETENSORS_INVALID");
  return new Set(Object.values(index?.weight_map ?? {}).map(String));
}

/** Files at the root of a folder, or the one chosen; links that lead nowhere are not there. */
async function listFolder(folder: string, choice?: string): Promise<ListedFile[]> {
  const names = choice === undefined ? await readdir(folder) : [choice];
  const listed = await Promise.all(
    names.map(async (path) => {
      const found = await stat(join(folder, path)).catch(() => undefined);
      return found?.isFile() === true ? [{ path, sizeBytes: found.size }] : [];
    }),
  );
  return listed.flat();
}

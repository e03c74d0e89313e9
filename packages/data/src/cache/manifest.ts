// What a token cache says of itself, and the JSON files that hold it; written whole or not at all.
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../errors.ts";
import { hashJson } from "./content-hash.ts";
import { CACHE_VERSION, type CacheFile, type TokenType } from "./format.ts";
import type { RowCounts } from "./row-counts.ts";

/** Everything the content of a cache depends on. */
export interface CacheInputs {
  readonly version: number;
  readonly tokenizerHash: string;
  readonly templateHash: string;
  readonly sourceHash: string;
  readonly maxLength: number;
  readonly rowsWithoutLoss: "keep" | "skip";
  readonly padTokenId: number;
  readonly vocabSize: number;
}

/** `manifest.json`: present exactly when the cache is whole. */
export interface CacheManifest {
  readonly format: "flacuna-token-cache";
  /** SHA-256 of `inputs`. */
  readonly key: string;
  readonly inputs: CacheInputs;
  readonly tokenType: TokenType;
  readonly counts: RowCounts;
  /** Names of the sources; a sample's `sourceId` is a position in this list. */
  readonly sources: readonly string[];
  readonly sizeBytes: Readonly<Record<CacheFile, number>>;
}

const MANIFEST = "manifest.json";

/** The name of a cache's content: equal inputs give equal keys. */
export function cacheKey(inputs: CacheInputs): string {
  return hashJson(inputs);
}

/**
 * The manifest of a folder, or nothing where there is no cache.
 *
 * @throws DataError `DATA_CACHE_CORRUPT` when the file is there but is no manifest of this version
 */
export async function readManifest(directory: string): Promise<CacheManifest | undefined> {
  const manifest = (await readJson(join(directory, MANIFEST))) as CacheManifest | undefined;
  if (manifest === undefined) return undefined;
  if (manifest.format === "flacuna-token-cache" && manifest.inputs?.version === CACHE_VERSION)
    return manifest;
  const message = `${directory}: ${MANIFEST} is not that of a token cache of version ${CACHE_VERSION}; delete the folder and build it again`;
  throw new DataError("DATA_CACHE_CORRUPT", message, { path: directory });
}

/** Makes the folder a whole cache; the data files must be on disk before. */
export function writeManifest(directory: string, manifest: CacheManifest): Promise<void> {
  return writeJson(join(directory, MANIFEST), manifest);
}

/**
 * The value in a JSON file, or nothing where there is no file.
 *
 * @throws DataError `DATA_CACHE_CORRUPT` when the file is no JSON
 */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const message = `${path}: cannot be read as JSON; delete the folder and build the cache again`;
    throw new DataError("DATA_CACHE_CORRUPT", message, { path, cause });
  }
}

/** Replaces a JSON file in one step: a reader, also after a crash, sees the old content or the new. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w");
  try {
    await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

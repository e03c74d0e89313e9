// A model's files in a folder of the user's choice.
import { constants, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ModelError } from "../errors.ts";
import { fileError } from "../weights/file-reading.ts";
import type { ListedFile } from "./wanted-files.ts";

/**
 * Copies files from one folder to another, without taking more space where the disk can share it. Each appears whole.
 *
 * @throws ModelError `MODEL_DISK_FULL`, `MODEL_FILE_UNREADABLE`
 */
export async function placeFiles(
  files: readonly ListedFile[],
  {
    from,
    to,
    signal,
  }: { readonly from: string; readonly to: string; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  for (const { path } of files) {
    signal?.throwIfAborted();
    const target = join(to, path);
    const partial = `${target}.flacuna-partial`;
    try {
      await mkdir(dirname(target), { recursive: true });
      await copyFile(join(from, path), partial, constants.COPYFILE_FICLONE);
      await rename(partial, target);
    } catch (cause) {
      await rm(partial, { force: true });
      throw notPlaced(cause, target);
    }
  }
}

function notPlaced(cause: unknown, path: string): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code !== "ENOSPC" && code !== "EDQUOT") return fileError(cause, path, "written");
  return new ModelError("MODEL_DISK_FULL", `${path} cannot be written: the disk is full`, {
    cause,
    details: { path },
  });
}

// Whether a disk has room, asked before anything is brought.
import { statfs } from "node:fs/promises";
import { ModelError } from "../errors.ts";

/** Bytes that a user may still write to the disk of a folder that is there; undefined where the system does not say. */
async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize, blocks } = await statfs(folder);
    return blocks === 0 ? undefined : bavail * bsize;
  } catch {
    return undefined;
  }
}

/** @throws ModelError `MODEL_DISK_FULL` when the disk of `folder` has less than `neededBytes` */
export async function checkSpace(folder: string, neededBytes: number): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || neededBytes <= free) return;
  const [needed, left] = [neededBytes, free].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
  throw new ModelError("MODEL_DISK_FULL", `${folder}: ${needed} are needed, ${left} are free on its disk`, {
    details: { folder, neededBytes, freeBytes: free },
  });
}

// Making a change of a folder's names durable.
import { open } from "node:fs/promises";

/** Makes a renaming in the folder at `path` durable; a platform that cannot open folders has nothing to sync. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

// What identifies the contents of files, so that what is made of them can be kept. Hashes each file once.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** What the Hugging Face hub's cache calls its files: the SHA-256 of what is in them. */
const SHA256_NAME = /^[0-9a-f]{64}$/;

/**
 * One hash for the contents of several files, hex. A file's own is kept in `folder` under its path, size and time of
 * change, so that it is not read again while these stay.
 */
export async function contentHash(paths: readonly string[], folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const path of [...paths].sort()) hash.update(await fileHash(path, folder));
  return hash.digest("hex");
}

async function fileHash(given: string, folder: string): Promise<string> {
  const path = await realpath(given);
  if (SHA256_NAME.test(basename(path))) return basename(path);
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  const identity = createHash("sha256").update([path, size, mtimeNs, ino].join("\n")).digest("hex");
  const note = join(folder, `${identity}.sha256`);
  const known = await readFile(note, "utf8").catch(() => "");
  if (SHA256_NAME.test(known)) return known;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  const digest = hash.digest("hex");
  await mkdir(folder, { recursive: true });
  const partial = `${note}.${randomUUID()}.partial`;
  await writeFile(partial, digest);
  await rename(partial, note);
  return digest;
}

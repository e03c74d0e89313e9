// The hub's cache as its own tools lay it out: contents by hash, commits as folders of links to them, branches as files
// that name a commit. Asks nobody.
import {
  copyFile,
  link,
  mkdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileError } from "../weights/file-reading.ts";

/** One model's part of the cache. @see the documentation of huggingface_hub, "Understand caching" */
export interface RepositoryCache {
  /** where it all lies */
  readonly folder: string;
  /** the file with the content of this hash */
  blob(digest: string): string;
  /** the folder of a commit */
  snapshot(commit: string): string;
  /** the lock that Flacuna's processes take before they change anything */
  readonly lock: string;
}

const COMMIT = /^[0-9a-f]{40}$/;

/** Whether a revision is a commit's full hash, which nothing can move. */
export const isCommit = (revision: string): boolean => COMMIT.test(revision);

/** Where the model `repo` is kept. */
export function repositoryCache(hubCacheFolder: string, repo: string): RepositoryCache {
  const name = `models--${repo.replaceAll("/", "--")}`;
  const folder = join(hubCacheFolder, name);
  return {
    folder,
    blob: (digest) => join(folder, "blobs", digest),
    snapshot: (commit) => join(folder, "snapshots", commit),
    lock: join(hubCacheFolder, ".locks", name, "flacuna.lock"),
  };
}

/** The commit that `revision` was when it was last fetched; undefined when it never was. */
export async function cachedCommit(cache: RepositoryCache, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  try {
    const text = (await readFile(join(cache.folder, "refs", ...revision.split("/")), "utf8")).trim();
    return isCommit(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Notes which commit a branch or tag is. A reader finds the old note or the new one. */
export async function writeRef(
  cache: RepositoryCache,
  { revision, commit }: { readonly revision: string; readonly commit: string },
): Promise<void> {
  if (isCommit(revision)) return;
  const path = join(cache.folder, "refs", ...revision.split("/"));
  await changing(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.flacuna-partial`, commit, { flush: true });
    await rename(`${path}.flacuna-partial`, path);
  });
}

/** Whether a file of a commit is there whole, as a link to its content or, as where links are not allowed, itself. */
export async function hasFile(
  cache: RepositoryCache,
  file: {
    readonly commit: string;
    readonly path: string;
    readonly digest: string;
    readonly sizeBytes: number;
  },
): Promise<boolean> {
  const places = [cache.blob(file.digest), join(cache.snapshot(file.commit), file.path)];
  const sizes = await Promise.all(places.map(sizeOf));
  return sizes.includes(file.sizeBytes);
}

/** Puts a content that is there into a commit's folder: as a relative link, or where links are not allowed in its own right. */
export async function addToSnapshot(
  cache: RepositoryCache,
  file: { readonly commit: string; readonly path: string; readonly digest: string },
): Promise<void> {
  const blob = cache.blob(file.digest);
  if ((await sizeOf(blob)) === undefined) return; // the folder has the file itself
  const path = join(cache.snapshot(file.commit), file.path);
  const target = relative(dirname(path), blob);
  await changing(path, async () => {
    if ((await readlink(path).catch(() => undefined)) === target) return;
    await mkdir(dirname(path), { recursive: true });
    const partial = `${path}.flacuna-partial`;
    await rm(partial, { force: true });
    await symlink(target, partial)
      .catch(() => link(blob, partial))
      .catch(() => copyFile(blob, partial));
    await rename(partial, path);
  });
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}

async function changing(path: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (cause) {
    throw fileError(cause, path, "written");
  }
}

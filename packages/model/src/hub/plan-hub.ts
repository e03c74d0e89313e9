// Fetching a model from the hub into its cache, and finding one that is there.
import { join } from "node:path";
import { checkSpace } from "./disk-space.ts";
import { type Download, download } from "./download.ts";
import { withLock } from "./folder-lock.ts";
import { createGet } from "./http.ts";
import {
  addToSnapshot,
  cachedCommit,
  hasFile,
  type RepositoryCache,
  repositoryCache,
  writeRef,
} from "./hub-cache.ts";
import { readModelFolder } from "./model-folder.ts";
import type { HubSource } from "./model-source.ts";
import { forEachParallel } from "./parallel.ts";
import { partialBytes } from "./partial-file.ts";
import { placeFiles } from "./place-files.ts";
import {
  type FetchPlan,
  type FetchRunOptions,
  missingBytes,
  type PlanContext,
  type PlannedFile,
  progressOf,
} from "./plan.ts";
import { planPresent } from "./plan-local.ts";
import { hubRefusal } from "./refusal.ts";
import { listRepository, type RepositoryFile } from "./repository.ts";
import { wantedFiles } from "./wanted-files.ts";

const PARALLEL_FILES = 4;

/**
 * The plan for a model on the hub, by what the hub lists now.
 *
 * @throws ModelError as `listRepository` and `wantedFiles`
 */
export async function planHub(source: HubSource, context: PlanContext): Promise<FetchPlan> {
  const { repo, revision, file } = source;
  const { settings, policy, signal, output } = context;
  const asked = { hub: settings.hub, repo, revision };
  const get = createGet(settings.hub, context.idleTimeoutMs);
  const isDeep = file?.includes("/") === true;
  const { commit, files } = await listRepository(asked, { get, policy, isDeep, signal });
  const wanted = wantedFiles(files, `${repo} on the hub`, { choice: file });
  const cache = repositoryCache(settings.hubCacheFolder, repo);
  const snapshot = cache.snapshot(commit);
  const single = wanted.length === 1 && wanted[0]!.path.endsWith(".gguf") ? wanted[0]!.path : "";
  return {
    origin: "hub",
    path: join(output ?? snapshot, single),
    commit,
    notes: [],
    files: await presence(wanted, cache, commit),
    run: (options = {}) =>
      withLock(
        cache.lock,
        async (lockSignal) => {
          const present = await presence(wanted, cache, commit);
          await checkSpace(settings.hubCacheFolder, missingBytes(present));
          const bring = (item: Download, each: AbortSignal, onProgress: (doneBytes: number) => void) =>
            download(item, {
              get,
              policy,
              signal: each,
              onProgress,
              refusal: (answer) => hubRefusal(answer, { ...asked, path: item.name }),
            });
          await bringFiles(wanted, { cache, commit, repo, endpoint: settings.hub.url }, bring, {
            ...options,
            signal: lockSignal,
          });
          await readModelFolder(snapshot, file);
          await writeRef(cache, { revision, commit });
          if (output !== undefined) {
            await placeFiles(wanted, { from: snapshot, to: output, signal: lockSignal });
          }
        },
        options,
      ),
  };
}

/**
 * The plan for a model that was fetched before, without asking anybody; undefined when it was not, or not whole.
 *
 * @param notes what the user should know about it
 */
export async function planCached(
  { repo, revision, file }: HubSource,
  { settings, output }: PlanContext,
  notes: readonly string[] = [],
): Promise<FetchPlan | undefined> {
  const cache = repositoryCache(settings.hubCacheFolder, repo);
  const commit = await cachedCommit(cache, revision);
  if (commit === undefined) return undefined;
  const from = cache.snapshot(commit);
  try {
    return planPresent(
      { origin: "cache", commit, notes, from, ...(await readModelFolder(from, file)) },
      output,
    );
  } catch {
    return undefined; // not all of it came
  }
}

/** How much of each file is in the cache. */
function presence(
  files: readonly RepositoryFile[],
  cache: RepositoryCache,
  commit: string,
): Promise<PlannedFile[]> {
  return Promise.all(
    files.map(async ({ path, sizeBytes, hash: { digest } }) => {
      const isHere = await hasFile(cache, { commit, path, digest, sizeBytes });
      return { path, sizeBytes, presentBytes: isHere ? sizeBytes : await partialBytes(cache.blob(digest)) };
    }),
  );
}

/** Where files go and come from. */
interface Place {
  readonly cache: RepositoryCache;
  readonly commit: string;
  readonly repo: string;
  readonly endpoint: string;
}

/** Brings each content that is not in the cache, once however many files have it, and adds all files to the commit's folder. */
async function bringFiles(
  files: readonly RepositoryFile[],
  { cache, commit, repo, endpoint }: Place,
  bring: (item: Download, signal: AbortSignal, onProgress: (doneBytes: number) => void) => Promise<void>,
  { parallel = PARALLEL_FILES, onProgress, signal }: FetchRunOptions,
): Promise<void> {
  const report = progressOf(files, onProgress);
  await forEachParallel(
    [...new Set(files.map(({ hash }) => hash.digest))],
    parallel,
    async (digest, each) => {
      const same = files.filter(({ hash }) => hash.digest === digest);
      const { path, sizeBytes, hash } = same[0]!;
      const here = await Promise.all(same.map((file) => hasFile(cache, { ...file, commit, digest })));
      if (here.includes(false)) {
        const encoded = path.split("/").map(encodeURIComponent).join("/");
        const url = `${endpoint}/${repo}/resolve/${commit}/${encoded}`;
        const item = { name: path, url, path: cache.blob(digest), sizeBytes, hash };
        await bring(item, each, (doneBytes) => report(path, doneBytes));
      }
      for (const file of same) {
        report(file.path, sizeBytes);
        await addToSnapshot(cache, { commit, path: file.path, digest });
      }
    },
    signal,
  );
}

// What a model's repository on the hub holds at one commit, by the hub's API.
import { ModelError } from "../errors.ts";
import type { ContentHash } from "./content-hash.ts";
import type { Get } from "./http.ts";
import { isCommit } from "./hub-cache.ts";
import { type Asked, hubRefusal } from "./refusal.ts";
import { PassingFailure, type RetryPolicy, retrying } from "./retry.ts";
import type { ListedFile } from "./wanted-files.ts";

/** A file with the hash of its content, which is also its name in the cache. */
export interface RepositoryFile extends ListedFile {
  readonly hash: ContentHash;
}

/** A repository at one commit. */
export interface Repository {
  readonly commit: string;
  readonly files: readonly RepositoryFile[];
}

/** How the hub is asked. */
export interface ListingOptions {
  readonly get: Get;
  readonly policy: RetryPolicy;
  /** whether files in folders are listed too */
  readonly isDeep: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A listing is small; more than this is something else. */
const MAX_PAGE_BYTES = 1 << 26;
const MAX_PAGES = 1000;

/** Whoever waits for a listing wants to know soon that the hub is out of reach. */
const LISTING_ATTEMPTS = 4;

/**
 * Asks the hub for the commit that `asked.revision` is, and for the files at it.
 *
 * @throws ModelError `MODEL_NOT_FOUND`, `MODEL_FETCH_REFUSED`, `MODEL_FETCH_FAILED`; the signal's reason
 * @see the hub's API, https://huggingface.co/docs/hub/api
 */
export async function listRepository(asked: Asked, options: ListingOptions): Promise<Repository> {
  const api = `${asked.hub.url}/api/models/${asked.repo}`;
  const info = await ask(`${api}/revision/${encodeURIComponent(asked.revision)}`, asked, options);
  const { sha } = info.value as { readonly sha?: unknown };
  if (typeof sha !== "string" || !isCommit(sha)) throw unusable(asked, "it names no commit");
  const files: RepositoryFile[] = [];
  let url: string | undefined = `${api}/tree/${sha}?recursive=${options.isDeep}`;
  for (let pages = 0; url !== undefined; pages++) {
    if (pages === MAX_PAGES) throw unusable(asked, "its list of files does not end");
    const page: Page = await ask(url, asked, options);
    if (!Array.isArray(page.value)) throw unusable(asked, "it lists no files");
    files.push(...page.value.flatMap((entry: unknown) => parseEntry(entry, asked)));
    url = page.next;
  }
  return { commit: sha, files };
}

/** An answer in JSON, and where it goes on. */
interface Page {
  readonly value: object;
  readonly next: string | undefined;
}

/** Asks until there is an answer. */
function ask(url: string, asked: Asked, { get, policy, signal }: ListingOptions): Promise<Page> {
  const attempt = async (): Promise<Page> => {
    const answer = await get(url, { signal, headers: { accept: "application/json" } });
    const error = hubRefusal(answer, asked);
    if (error !== undefined) {
      await answer.discard();
      throw error;
    }
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of answer.chunks()) {
      parts.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_PAGE_BYTES) throw unusable(asked, "its answer does not end");
    }
    const value = parseObject(Buffer.concat(parts).toString("utf8"));
    if (value === undefined)
      throw new PassingFailure(`${new URL(url).host} answers, but not as the hub does`);
    return { value, next: nextPage(answer.headers.get("link"), url) };
  };
  const attempts = Math.min(policy.attempts, LISTING_ATTEMPTS);
  return retrying(attempt, { policy: { ...policy, attempts }, signal, what: asked.repo });
}

function nextPage(link: string | null, base: string): string | undefined {
  const next = /<([^>]+)>;\s*rel="next"/.exec(link ?? "")?.[1];
  return next !== undefined && URL.canParse(next, base) ? new URL(next, base).href : undefined;
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What a listing says of a file; of a large one also where it is kept beside git. */
interface Entry {
  readonly type?: unknown;
  readonly path?: unknown;
  readonly size?: unknown;
  readonly oid?: unknown;
  readonly lfs?: { readonly oid?: unknown; readonly size?: unknown };
}

const DIGESTS = { sha256: /^[0-9a-f]{64}$/, "git-sha1": /^[0-9a-f]{40}$/ } as const;

/** A file as listed, none for a folder. Path and hash become names of files here: none may lead elsewhere. */
function parseEntry(entry: unknown, asked: Asked): RepositoryFile[] {
  const { type, path, size, oid, lfs } = (entry ?? {}) as Entry;
  if (type !== "file") return [];
  const algorithm = lfs ? "sha256" : "git-sha1";
  const [sizeBytes, digest] = lfs ? [lfs.size, lfs.oid] : [size, oid];
  const hasHash = typeof digest === "string" && DIGESTS[algorithm].test(digest);
  const hasSize = Number.isSafeInteger(sizeBytes) && (sizeBytes as number) >= 0;
  if (typeof path === "string" && isSafePath(path) && hasHash && hasSize) {
    return [{ path, sizeBytes: sizeBytes as number, hash: { algorithm, digest } }];
  }
  throw unusable(asked, `it lists ${JSON.stringify(path)?.slice(0, 80)}, which is no file to be kept here`);
}

const isSafePath = (path: string): boolean =>
  path.split("/").every((segment) => /^[^\\:\p{Cc}]+$/u.test(segment) && !/^\.{1,2}$/.test(segment));

const unusable = ({ hub, repo }: Asked, why: string): ModelError =>
  new ModelError(
    "MODEL_FETCH_FAILED",
    `${repo}: ${new URL(hub.url).host} does not answer as the hub does: ${why}`,
  );

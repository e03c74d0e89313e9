// What fetching a model will do, and the making of it: the types that all ways of fetching share.
import type { RetryPolicy } from "./retry.ts";
import type { HubOptions, HubSettings } from "./settings.ts";
import type { ListedFile } from "./wanted-files.ts";

/** How a model is fetched. What is not said here is read from the variables of the hub's own tools. */
export interface FetchOptions extends HubOptions {
  /** Branch, tag or commit on the hub; default `main`. */
  readonly revision?: string;
  /** A folder to put the model's files in, besides the cache; default none. */
  readonly output?: string;
  /** How often a failure that may pass is tried again. */
  readonly retry?: Partial<RetryPolicy>;
  /** Silence after which a connection counts as lost; default 30,000. */
  readonly idleTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What can be said and heard while a plan is carried out. */
export interface FetchRunOptions {
  readonly signal?: AbortSignal;
  /** Files at a time; default 4. */
  readonly parallel?: number;
  /** Called with every piece that comes. */
  onProgress?(progress: FetchProgress): void;
  /** Called when another process is fetching the same model and is waited for. */
  onWait?(): void;
}

/** How far a fetch is. */
export interface FetchProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A file of a model, and how much of it is here. */
export interface PlannedFile extends ListedFile {
  readonly presentBytes: number;
}

/** A model that is here. */
export interface FetchedModel {
  /** Where it comes from: this machine, the hub's cache, the hub, a Python package index, or a package file. */
  readonly origin: "local" | "cache" | "hub" | "python-index" | "wheel";
  /** Its folder, or its one `.gguf` file: what `loadLanguageModel` takes. */
  readonly path: string;
  /** The commit on the hub. */
  readonly commit?: string;
  /** What a user should know, such as that another copy is used than was asked for. */
  readonly notes: readonly string[];
}

/** What there is to do before a model is here; its `path` is where it will be. */
export interface FetchPlan extends FetchedModel {
  readonly files: readonly PlannedFile[];
  /**
   * Brings what is missing. Called again after a failure, or by another process, it goes on from what came.
   *
   * @throws ModelError as `fetchModel`; the signal's reason
   */
  run(options?: FetchRunOptions): Promise<void>;
}

/** What a way of fetching is told. */
export interface PlanContext {
  readonly settings: HubSettings;
  readonly policy: RetryPolicy;
  readonly idleTimeoutMs?: number | undefined;
  readonly output?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that are not here yet. */
export const missingBytes = (files: readonly PlannedFile[]): number =>
  files.reduce((sum, { sizeBytes, presentBytes }) => sum + Math.max(0, sizeBytes - presentBytes), 0);

/** Turns what is there of each file into what is there of all. */
export function progressOf(
  files: readonly ListedFile[],
  onProgress: FetchRunOptions["onProgress"],
): (path: string, doneBytes: number) => void {
  const done = new Map(files.map(({ path }) => [path, 0]));
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  return (path, bytes) => {
    doneBytes += bytes - done.get(path)!;
    done.set(path, bytes);
    onProgress?.({ doneBytes, totalBytes });
  };
}

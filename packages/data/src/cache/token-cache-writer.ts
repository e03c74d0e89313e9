// Appends samples to an unfinished cache and remembers how far it is safe; does not tokenize.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../errors.ts";
import { IGNORE_INDEX } from "../labels.ts";
import type { DropReason } from "../render.ts";
import type { TokenizedExample } from "../tokenize.ts";
import { AppendFile } from "./append-file.ts";
import {
  CACHE_FILES,
  type CacheFile,
  encodeIndexRecord,
  RUN_BYTES,
  TOKEN_ARRAYS,
  tokenTypeFor,
  trainedRuns,
} from "./format.ts";
import {
  type CacheInputs,
  type CacheManifest,
  cacheKey,
  readJson,
  writeJson,
  writeManifest,
} from "./manifest.ts";
import { increment, NO_ROWS, type RowCounts } from "./row-counts.ts";

const PROGRESS = "progress.json";

/** `progress.json`: up to here the files are on disk; what lies beyond is cut off when the build goes on. */
interface Progress {
  readonly key: string;
  readonly counts: RowCounts;
  readonly sources: readonly string[];
  readonly sizeBytes: Readonly<Record<CacheFile, number>>;
}

const EMPTY_SIZES = { tokens: 0, index: 0, mask: 0 } as const;

/** The files of an unfinished cache. */
export class TokenCacheWriter {
  readonly #directory: string;
  readonly #inputs: CacheInputs;
  readonly #files: Readonly<Record<CacheFile, AppendFile>>;
  readonly #sourceIds: Map<string, number>;
  #counts: RowCounts;

  private constructor(
    directory: string,
    inputs: CacheInputs,
    files: Readonly<Record<CacheFile, AppendFile>>,
    progress: Pick<Progress, "counts" | "sources">,
  ) {
    this.#directory = directory;
    this.#inputs = inputs;
    this.#files = files;
    this.#counts = progress.counts;
    this.#sourceIds = new Map(progress.sources.map((source, id) => [source, id]));
  }

  /** Goes on from the last checkpoint of the same inputs, or begins anew. */
  static async open(directory: string, inputs: CacheInputs): Promise<TokenCacheWriter> {
    const progress = await readProgress(directory, cacheKey(inputs));
    const files = progress && (await openFiles(directory, progress.sizeBytes));
    if (progress && files) return new TokenCacheWriter(directory, inputs, files, progress);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const empty = await openFiles(directory, EMPTY_SIZES);
    return new TokenCacheWriter(directory, inputs, empty!, { counts: NO_ROWS, sources: [] });
  }

  /** What became of the rows so far; `rows` is the number of the next one. */
  get counts(): RowCounts {
    return this.#counts;
  }

  /** Counts a row that has no text. */
  drop(reason: DropReason): void {
    const { rows, dropped } = this.#counts;
    this.#counts = { ...this.#counts, rows: rows + 1, dropped: increment(dropped, reason) };
  }

  /**
   * Counts a row, and stores it unless it has no loss and such rows are to be skipped.
   *
   * @throws DataError `DATA_TOKEN_OUT_OF_RANGE`
   */
  async add(example: TokenizedExample, source: string): Promise<void> {
    const row = this.#counts.rows;
    const { withoutLoss, isTruncated } = example;
    this.#counts = {
      ...this.#counts,
      rows: row + 1,
      truncated: this.#counts.truncated + (isTruncated ? 1 : 0),
      withoutLoss: withoutLoss ? increment(this.#counts.withoutLoss, withoutLoss) : this.#counts.withoutLoss,
    };
    if (withoutLoss === undefined || this.#inputs.rowsWithoutLoss === "keep")
      await this.#store(example, source, row);
  }

  /** Makes everything so far survive a crash. */
  async checkpoint(): Promise<void> {
    await this.#sync();
    const progress: Progress = {
      key: cacheKey(this.#inputs),
      counts: this.#counts,
      sources: [...this.#sourceIds.keys()],
      sizeBytes: this.#sizes(),
    };
    await writeJson(join(this.#directory, PROGRESS), progress);
  }

  /** Writes the manifest, which makes the cache whole. */
  async finish(): Promise<void> {
    await this.#sync();
    const manifest: CacheManifest = {
      format: "flacuna-token-cache",
      key: cacheKey(this.#inputs),
      inputs: this.#inputs,
      tokenType: tokenTypeFor(this.#inputs.vocabSize),
      counts: this.#counts,
      sources: [...this.#sourceIds.keys()],
      sizeBytes: this.#sizes(),
    };
    await writeManifest(this.#directory, manifest);
    await rm(join(this.#directory, PROGRESS), { force: true });
  }

  /** Closes the files; what was not synced is lost. */
  async close(): Promise<void> {
    await Promise.all(Object.values(this.#files).map((file) => file.close()));
  }

  async #store({ inputIds, labels }: TokenizedExample, source: string, row: number): Promise<void> {
    this.#assertInRange(inputIds, row);
    const runs = trainedRuns(labels);
    const record = encodeIndexRecord({
      tokenOffset: this.#counts.tokens,
      tokenCount: inputIds.length,
      sourceId: this.#sourceId(source),
      runOffset: this.#files.mask.sizeBytes / RUN_BYTES,
      runCount: runs.length / 2,
      row,
    });
    const tokens = TOKEN_ARRAYS[tokenTypeFor(this.#inputs.vocabSize)].from(inputIds);
    await this.#files.tokens.append(new Uint8Array(tokens.buffer));
    await this.#files.mask.append(new Uint8Array(runs.buffer));
    await this.#files.index.append(record);
    const trained = labels.reduce((count, label) => (label === IGNORE_INDEX ? count : count + 1), 0);
    this.#counts = {
      ...this.#counts,
      samples: this.#counts.samples + 1,
      tokens: this.#counts.tokens + inputIds.length,
      trainedTokens: this.#counts.trainedTokens + trained,
    };
  }

  #assertInRange(inputIds: readonly number[], row: number): void {
    const { vocabSize } = this.#inputs;
    const wrong = inputIds.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (wrong === undefined) return;
    const message = `row ${row}: token id ${wrong} is not below the tokenizer's vocabSize ${vocabSize}; correct vocabSize`;
    throw new DataError("DATA_TOKEN_OUT_OF_RANGE", message, { index: row });
  }

  #sourceId(source: string): number {
    const id = this.#sourceIds.get(source) ?? this.#sourceIds.size;
    this.#sourceIds.set(source, id);
    return id;
  }

  async #sync(): Promise<void> {
    await Promise.all(Object.values(this.#files).map((file) => file.sync()));
  }

  #sizes(): Record<CacheFile, number> {
    const { tokens, index, mask } = this.#files;
    return { tokens: tokens.sizeBytes, index: index.sizeBytes, mask: mask.sizeBytes };
  }
}

async function readProgress(directory: string, key: string): Promise<Progress | undefined> {
  const progress = (await readJson(join(directory, PROGRESS))) as Progress | undefined;
  return progress?.key === key ? progress : undefined;
}

/** All three files cut back to their sizes, or nothing when one of them is shorter. */
async function openFiles(
  directory: string,
  sizeBytes: Readonly<Record<CacheFile, number>>,
): Promise<Record<CacheFile, AppendFile> | undefined> {
  const open = (file: CacheFile) => AppendFile.open(join(directory, CACHE_FILES[file]), sizeBytes[file]);
  const [tokens, index, mask] = await Promise.all([open("tokens"), open("index"), open("mask")]);
  if (tokens && index && mask) return { tokens, index, mask };
  await Promise.all([tokens, index, mask].map((file) => file?.close()));
  return undefined;
}

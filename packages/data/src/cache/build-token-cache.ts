// Rows → a whole token cache in its folder, through an unfinished one beside it that a killed build goes on from.
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { ConversationTemplate } from "../conversation-template.ts";
import { DataError } from "../errors.ts";
import type { InstructionExample } from "../instruction-example.ts";
import { DEFAULT_MAX_LENGTH, tokenizeExample } from "../tokenize.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { hashTemplate } from "./content-hash.ts";
import { CACHE_VERSION } from "./format.ts";
import { acquireLock } from "./lock.ts";
import { type CacheInputs, cacheKey, readManifest } from "./manifest.ts";
import type { RowCounts } from "./row-counts.ts";
import { TokenCacheWriter } from "./token-cache-writer.ts";
import { TokenizedDataset } from "./tokenized-dataset.ts";

/** What to tokenize, how, and where to. */
export interface BuildTokenCacheOptions {
  /** The cache's folder. While it is built, `<directory>.partial` and `<directory>.lock` lie beside it. */
  readonly directory: string;
  /** The rows; not touched when the cache is there already, and read again from the start when a build goes on. */
  readonly examples: AsyncIterable<InstructionExample> | Iterable<InstructionExample>;
  readonly tokenizer: Tokenizer;
  readonly template: ConversationTemplate;
  /** Names of the contents that this package cannot see: of the tokenizer's file and of the rows (`hashFile`). */
  readonly hashes: { readonly tokenizer: string; readonly source: string };
  /** Tokens kept per row, BOS included. Default 1,280. */
  readonly maxLength?: number;
  /**
   * Whether rows that train on nothing are stored. Default `"keep"`, as the reference does: they take their place in
   * the split and in batches.
   */
  readonly rowsWithoutLoss?: "keep" | "skip";
  /** Rows between two points from which a killed build goes on. Default 20,000. */
  readonly checkpointRows?: number;
  /** Called with the counts after every few rows. */
  readonly onProgress?: (counts: RowCounts) => void;
  /** Stops the build, which a later one goes on from. */
  readonly signal?: AbortSignal;
}

/** Rows tokenized at once; a tokenizer that works in threads uses them. */
const CONCURRENT_ROWS = 64;

/**
 * The cache of the given content, built if it is not there. A whole cache of other content in the folder is replaced.
 * The result is to be disposed.
 *
 * @throws DataError `DATA_CACHE_BUSY` while another process builds it, `DATA_CACHE_CORRUPT`,
 *   `DATA_TOKEN_OUT_OF_RANGE`, `DATA_OPTION_INVALID`; the signal's reason when aborted
 */
export async function buildTokenCache(options: BuildTokenCacheOptions): Promise<TokenizedDataset> {
  const { directory } = options;
  const inputs = inputsOf(options);
  if (await holdsCache(directory, inputs)) return TokenizedDataset.open(directory);
  await assertReplaceable(directory);
  await mkdir(dirname(directory), { recursive: true });
  const release = await acquireLock(`${directory}.lock`);
  try {
    const partial = `${directory}.partial`;
    if (!(await holdsCache(partial, inputs))) await write(partial, inputs, options);
    await rm(directory, { recursive: true, force: true });
    await rename(partial, directory);
  } finally {
    await release();
  }
  return TokenizedDataset.open(directory);
}

function inputsOf({
  tokenizer,
  template,
  hashes,
  maxLength,
  rowsWithoutLoss,
}: BuildTokenCacheOptions): CacheInputs {
  return {
    version: CACHE_VERSION,
    tokenizerHash: hashes.tokenizer,
    templateHash: hashTemplate(template),
    sourceHash: hashes.source,
    maxLength: maxLength ?? DEFAULT_MAX_LENGTH,
    rowsWithoutLoss: rowsWithoutLoss ?? "keep",
    padTokenId: tokenizer.padTokenId,
    vocabSize: tokenizer.vocabSize,
  };
}

async function holdsCache(directory: string, inputs: CacheInputs): Promise<boolean> {
  return (await readManifest(directory))?.key === cacheKey(inputs);
}

/** A cache may be replaced; a folder that holds anything else is not ours to remove. */
async function assertReplaceable(directory: string): Promise<void> {
  const content = await readdir(directory).catch(() => []);
  if (content.length === 0 || (await readManifest(directory)) !== undefined) return;
  const message = `${directory}: the folder is not empty and holds no token cache; choose another one`;
  throw new DataError("DATA_OPTION_INVALID", message, { path: directory });
}

async function write(directory: string, inputs: CacheInputs, options: BuildTokenCacheOptions): Promise<void> {
  const { examples, tokenizer, template, checkpointRows = 20_000, onProgress, signal } = options;
  const writer = await TokenCacheWriter.open(directory, inputs);
  const tokenize = (example: InstructionExample) =>
    tokenizeExample(example, { tokenizer, template, maxLength: inputs.maxLength });
  try {
    let checkpointAt = writer.counts.rows + checkpointRows;
    for await (const group of groupsOf(skip(examples, writer.counts.rows), CONCURRENT_ROWS)) {
      signal?.throwIfAborted();
      const rows = await Promise.all(group.map(tokenize));
      for (const [i, row] of rows.entries()) {
        if ("dropped" in row) writer.drop(row.dropped);
        else await writer.add(row, group[i]!.source);
      }
      onProgress?.(writer.counts);
      if (writer.counts.rows < checkpointAt) continue;
      await writer.checkpoint();
      checkpointAt = writer.counts.rows + checkpointRows;
    }
    await writer.finish();
  } finally {
    await writer.close();
  }
}

async function* skip<T>(
  items: AsyncIterable<T> | Iterable<T>,
  count: number,
): AsyncGenerator<T, void, undefined> {
  let position = 0;
  for await (const item of items) if (position++ >= count) yield item;
}

async function* groupsOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[], void, undefined> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

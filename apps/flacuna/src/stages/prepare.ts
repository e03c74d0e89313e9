// Rows to tokens and labels: the training data and the held-out chats as caches on disk, and what became of each component.
import { join } from "node:path";
import {
  buildTokenCache,
  componentOf,
  countExamples,
  FLAN_MINI_COMPONENTS,
  hashFile,
  readInstructionFile,
  type TokenizedDataset,
} from "@flacuna/data";
import { readTokenizer, VICUNA_V1_1 } from "@flacuna/model";
import { runStage, type StageOutcome } from "../artifacts.ts";
import type { DataComponent } from "../report/report-schema.ts";
import type { FetchResult } from "./fetch.ts";
import type { RunContext } from "./stage.ts";

/** Where the caches are, and what is in them. */
export interface PrepareResult {
  readonly dataset: string;
  readonly chats: string;
  readonly padTokenId: number;
  readonly components: readonly DataComponent[];
  /** rows left out or cut, by reason */
  readonly counts: unknown;
}

/** Tokenizes the inputs. */
export function prepareData(
  context: RunContext,
  fetched: StageOutcome<FetchResult>,
): Promise<StageOutcome<PrepareResult>> {
  const { maxLength } = context.preset.train;
  return runStage(context.folder, "prepare", { fetch: fetched.key, maxLength }, async (folder) => {
    const { baseFolder, dataset, chats } = fetched.result;
    const tokenizer = await readTokenizer(baseFolder);
    const tokenizerHash = await hashFile(join(baseFolder, "tokenizer.json"));
    const build = async (name: string, path: string) =>
      buildTokenCache({
        directory: join(folder, name),
        examples: readInstructionFile(path),
        tokenizer,
        template: VICUNA_V1_1,
        hashes: { tokenizer: tokenizerHash, source: await hashFile(path) },
        maxLength,
        signal: context.signal,
      });
    using rows = await build("flan-mini", dataset);
    using talks = await build("chats", chats);
    context.say(
      `${rows.length} rows, ${rows.manifest.counts.tokens} tokens, ${rows.manifest.counts.trainedTokens} of them trained on`,
    );
    return {
      dataset: join(folder, "flan-mini"),
      chats: join(folder, "chats"),
      padTokenId: tokenizer.padTokenId,
      components: await countComponents(rows, dataset, maxLength),
      counts: { dataset: rows.manifest.counts, chats: talks.manifest.counts },
    };
  });
}

async function countComponents(
  rows: TokenizedDataset,
  path: string,
  maxLength: number,
): Promise<DataComponent[]> {
  const { byComponent } = await countExamples(readInstructionFile(path));
  const stored = Array.from({ length: rows.length }, (_, index) => ({
    component: componentOf(rows.originOf(index).source),
    isTruncated: rows.tokenCount(index) === maxLength,
  }));
  return FLAN_MINI_COMPONENTS.map(({ name, paperSize }) => {
    const kept = stored.filter(({ component }) => component === name);
    return {
      name,
      count: kept.length,
      dropped: (byComponent[name]?.examples ?? 0) - kept.length,
      truncated: kept.filter(({ isTruncated }) => isTruncated).length,
      publishedCount: paperSize,
    };
  });
}

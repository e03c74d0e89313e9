// Fetching a model that is on this machine: there is nothing to bring, only to check and, where asked, to copy.
import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readModelFolder } from "./model-folder.ts";
import type { LocalSource } from "./model-source.ts";
import { placeFiles } from "./place-files.ts";
import type { FetchedModel, FetchPlan, PlanContext } from "./plan.ts";
import type { ListedFile } from "./wanted-files.ts";

/** A plan for files that are here, in the folder `from`. */
export function planPresent(
  model: FetchedModel & { readonly from: string; readonly files: readonly ListedFile[] },
  output: string | undefined,
): FetchPlan {
  const { from, files, ...fetched } = model;
  return {
    ...fetched,
    path: output === undefined ? fetched.path : join(output, fetched.path.slice(from.length)),
    files: files.map((file) => ({ ...file, presentBytes: file.sizeBytes })),
    async run({ signal } = {}) {
      if (output !== undefined) await placeFiles(files, { from, to: output, signal });
    },
  };
}

/**
 * The plan for a folder or `.gguf` on this machine.
 *
 * @throws ModelError as `readModelFolder`
 */
export async function planLocal({ kind, path }: LocalSource, { output }: PlanContext): Promise<FetchPlan> {
  if (kind === "folder") {
    return planPresent({ origin: "local", notes: [], from: path, ...(await readModelFolder(path)) }, output);
  }
  const files = [{ path: basename(path), sizeBytes: (await stat(path)).size }];
  return planPresent({ origin: "local", notes: [], path, from: dirname(path), files }, output);
}

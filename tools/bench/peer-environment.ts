// A Python with the peer's packages: the one given, or a virtual environment that is made once.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REQUIREMENTS = fileURLToPath(new URL("peer/requirements.txt", import.meta.url));

/** The path of the Python to run the peer with. */
export function preparePython(given: string | undefined, log: (line: string) => void): string {
  if (given !== undefined) return given;
  const folder = join(homedir(), ".cache/flacuna/bench-python");
  const python = join(folder, "bin/python");
  const marker = join(folder, "requirements-installed");
  if (existsSync(marker)) return python;
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { stdio: ["ignore", process.stderr, "inherit"] });
  log(`making a virtual environment in ${folder} and installing the peer (several GB; once)`);
  run("python3", "-m", "venv", folder);
  run(python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS);
  run("touch", marker);
  return python;
}

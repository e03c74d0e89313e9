// npm packages that are only compared with: each installed once in a folder of its own, never among our dependencies.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder with `node_modules` in it; the packages are named with their versions. */
export async function prepareNodePackages(
  name: string,
  packages: readonly string[],
  log: (line: string) => void,
  flags: readonly string[] = [],
): Promise<string> {
  const folder = join(homedir(), ".cache/flacuna", name);
  const marker = join(folder, "installed");
  if (existsSync(marker)) return folder;
  log(`installing ${packages.join(", ")} in ${folder}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ private: true })}\n`);
  // Scripts would download or build what the packages of the platform hold already.
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", ["install", ...quiet, ...flags, ...packages], {
    cwd: folder,
    stdio: ["ignore", process.stderr, "inherit"],
  });
  await writeFile(marker, `${packages.join("\n")}\n`);
  return folder;
}

// Runs pnpm, whichever way this process was started.
import { execFileSync } from "node:child_process";

/**
 * Runs `pnpm ...args` in `folder` and returns what it printed to standard output.
 *
 * @throws Error with pnpm's own output when it fails
 */
export function runPnpm(folder: string, args: readonly string[]): string {
  const { npm_execpath: running, ...environment } = process.env;
  const [command, ...before] = running?.includes("pnpm")
    ? [process.execPath, running]
    : ["npx", "-y", "pnpm@10"];
  try {
    return execFileSync(command!, [...before, ...args], {
      cwd: folder,
      encoding: "utf8",
      env: environment,
      maxBuffer: 64 * 1024 * 1024,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout: string; stderr: string };
    throw new Error(`pnpm ${args.join(" ")} failed in ${folder}:\n${stdout}\n${stderr}`, { cause });
  }
}

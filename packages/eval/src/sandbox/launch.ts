// The command line of a sandbox process: Node's permission model, no generated code, no network. It starts nothing but a probe.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Everything needed to start sandbox processes on this machine. */
export interface Launch {
  readonly pyodideFolder: string;
  readonly pyodideVersion: string;
  readonly hasNetworkNamespace: boolean;
  /** Executable and arguments up to those of `child.mjs`. */
  readonly command: readonly [string, ...string[]];
}

/** Ends a process whose parent died before it could kill it. */
const CPU_LIMIT_SECONDS = 120;

/** Programs are short: compile lazily, and optimise only what runs long. */
const ENGINE_FLAGS = [
  "--wasm-lazy-compilation",
  "--wasm-tiering-budget=20000000",
  "--max-old-space-size=256",
];

/** Node releases from which the permission model is no longer spelled as an experiment, by major version. */
const STABLE_PERMISSION_SINCE: Readonly<Record<number, number>> = { 22: 13, 23: 5 };

/** The flag that turns the permission model on in Node `version`. */
export function permissionFlag(version: string): "--permission" | "--experimental-permission" {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const since = STABLE_PERMISSION_SINCE[major];
  const isStable = since === undefined ? major >= 24 : minor >= since;
  return isStable ? "--permission" : "--experimental-permission";
}

/** Finds Pyodide and the isolation this machine offers. */
export function findLaunch(): Launch {
  const manifest = realpathSync(createRequire(import.meta.url).resolve("pyodide/package.json"));
  const pyodideFolder = path.dirname(manifest);
  const child = realpathSync(fileURLToPath(new URL("./child.mjs", import.meta.url)));
  const unshare = findUnshare();
  const node = [
    process.execPath,
    permissionFlag(process.version),
    `--allow-fs-read=${path.join(pyodideFolder, "*")}`,
    `--allow-fs-read=${child}`,
    "--disallow-code-generation-from-strings",
    "--no-warnings",
    ...ENGINE_FLAGS,
    child,
  ];
  const isolated = unshare === undefined ? node : [unshare, "-rn", ...node];
  return {
    pyodideFolder,
    pyodideVersion: String(JSON.parse(readFileSync(manifest, "utf8")).version),
    hasNetworkNamespace: unshare !== undefined,
    command: withCpuLimit(isolated) as [string, ...string[]],
  };
}

/** `unshare`, when this Linux lets an ordinary user make a network namespace. */
function findUnshare(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const found = ["/usr/bin/unshare", "/bin/unshare"].find((file) => existsSync(file));
  return found !== undefined && spawnSync(found, ["-rn", "/bin/true"], { env: {} }).status === 0
    ? found
    : undefined;
}

function withCpuLimit(command: readonly string[]): readonly string[] {
  if (process.platform === "win32") return command;
  return [
    "/bin/sh",
    "-c",
    `ulimit -t ${CPU_LIMIT_SECONDS} -c 0 2>/dev/null; exec "$@"`,
    "sandbox",
    ...command,
  ];
}

// node-llama-cpp with its prebuilt library, in a process of its own.
import { fileURLToPath } from "node:url";
import { prepareNodePackages } from "../node-package.ts";
import { Worker } from "../worker.ts";

const VERSION = "3.22.1";
const WORKER = fileURLToPath(new URL("node-llama-worker.ts", import.meta.url));

/** Names of the prebuilt libraries that compute on the processor, by platform. */
const PREBUILT: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "darwin-x64": "mac-x64",
  "darwin-arm64": "mac-arm64-metal",
};

/** Installs it, once, and returns what starts its worker. */
export async function prepareNodeLlamaCpp(log: (line: string) => void): Promise<() => Promise<Worker>> {
  const platform = PREBUILT[`${process.platform}-${process.arch}`];
  if (platform === undefined) throw new Error(`node-llama-cpp has no prebuilt library for this platform`);
  const packages = [`node-llama-cpp@${VERSION}`, `@node-llama-cpp/${platform}@${VERSION}`];
  // The optional packages are the libraries for GPUs.
  const folder = await prepareNodePackages(`node-llama-cpp-${VERSION}`, packages, log, ["--omit=optional"]);
  return () => Worker.start(process.execPath, [...process.execArgv, WORKER, folder]);
}

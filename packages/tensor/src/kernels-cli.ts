#!/usr/bin/env node
// `flacuna-kernels`: builds the native kernels ahead of their first use, and tells what this machine will run.
import { parseArgs } from "node:util";
import { kernelLibraryPath } from "./runtime/build-kernels.ts";
import { kernelStatus } from "./runtime/kernels.ts";

const HELP = `flacuna-kernels [--json]

Builds the native kernels of @flacuna/tensor with the system's C compiler (CC, or cc), unless that was done before,
and prints which instruction-set path this machine runs. Without a compiler everything works on ONNX Runtime's own
operators; the exit status is 0 all the same. FLACUNA_KERNELS=off turns the kernels off, FLACUNA_KERNELS=<path> forces
one, and is an error where it cannot run.
`;

const { values } = parseArgs({
  options: { json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
});

async function report(): Promise<string> {
  const status = await kernelStatus();
  if (values.json) return JSON.stringify({ ...status, library: kernelLibraryPath() });
  if (status.path === undefined) return `native kernels: none, ${status.reason}`;
  return `native kernels: ${status.path} (this CPU can run ${status.paths.join(", ")})`;
}

try {
  process.stdout.write(values.help ? HELP : `${await report()}\n`);
} catch (error) {
  process.stderr.write(`flacuna-kernels: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

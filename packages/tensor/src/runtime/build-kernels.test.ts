// What the compiler is asked to do; that its work runs is tested with the kernels themselves.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { buildKernels, kernelLibraryPath } from "./build-kernels.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flacuna-build-test-"));
  vi.stubEnv("XDG_CACHE_HOME", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Makes CC a script that writes its arguments to a log, refuses some of them, and makes empty files. */
function stubCompiler(refused: string): () => string[] {
  const [script, log] = [join(folder, "cc"), join(folder, "log")];
  const lines = [
    "#!/bin/sh",
    `echo "$*" >> ${log}`,
    `case "$*" in ${refused}) exit 1 ;; esac`,
    'while [ $# -gt 0 ]; do [ "$1" = -o ] && : > "$2"; shift; done',
  ];
  writeFileSync(script, `${lines.join("\n")}\n`, { mode: 0o755 });
  vi.stubEnv("CC", script);
  return () => readFileSync(log, "utf8").split("\n");
}

describe("buildKernels()", () => {
  it.skipIf(process.arch !== "x64")("builds without a path whose flags the compiler lacks", async () => {
    const readLog = stubCompiler("*-mamx-tile*");
    await buildKernels();
    const log = readLog();
    expect(log.find((line) => line.includes("paths.c"))).toContain("-DWITHOUT_AMX ");
    const link = log.find((line) => line.includes("-shared"));
    expect(link).toContain("kernels-avx512.o");
    expect(link).not.toContain("kernels-amx.o");
  });

  it("asks the compiler for nothing the second time", async () => {
    const readLog = stubCompiler("never");
    const library = await buildKernels();
    const before = readLog().length;
    expect(await buildKernels()).toBe(library);
    expect(readLog()).toHaveLength(before);
  });

  it("fails when the portable path does not compile, and leaves nothing behind", async () => {
    const readLog = stubCompiler("*-DKERNEL_PATH=portable*");
    await expect(buildKernels()).rejects.toThrow("Command failed");
    await expect(buildKernels()).rejects.toThrow("Command failed");
    expect(readLog().some((line) => line.includes("-shared"))).toBe(false);
  });

  it("takes a compiler command with arguments", async () => {
    const readLog = stubCompiler("never");
    vi.stubEnv("CC", `${process.env.CC} --first`);
    await buildKernels();
    expect(readLog()[0]).toMatch(/^--first /);
  });
});

describe("kernelLibraryPath()", () => {
  it("differs by compiler and by emulation", () => {
    const paths = [kernelLibraryPath()];
    vi.stubEnv("FLACUNA_EMULATE_TILES", "1");
    paths.push(kernelLibraryPath());
    vi.stubEnv("CC", "another");
    paths.push(kernelLibraryPath());
    expect(new Set(paths).size).toBe(3);
  });
});

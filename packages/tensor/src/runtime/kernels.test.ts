// The native kernels of a process, found once: each test asks a process of its own.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { swiglu } from "../composites/swiglu.ts";
import { evaluate } from "../evaluate.ts";
import type { Tensor } from "../tensor.ts";
import { randomTensor } from "../testing.ts";
import { spec, trace } from "../trace.ts";
import type { KernelReport } from "./fixtures/kernels-child.ts";
import { kernelStatus, useKernelPath } from "./kernels.ts";

const child = fileURLToPath(new URL("./fixtures/kernels-child.ts", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "flacuna-kernels-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const freshFolder = (): string => mkdtempSync(join(scratch, "cache-"));

async function inProcess(env: Readonly<Record<string, string>>): Promise<KernelReport> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", child], {
    env: { ...process.env, FLACUNA_KERNELS: "", ...env },
  });
  return JSON.parse(stdout) as KernelReport;
}

/** A compiler that is a shell script. */
function compiler(...lines: string[]): string {
  const path = join(mkdtempSync(join(scratch, "cc-")), "cc");
  writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  return path;
}

const MAKES_EMPTY_FILES = 'while [ $# -gt 0 ]; do [ "$1" = -o ] && : > "$2"; shift; done';

/** What the child computes, by the interpreter. */
function expectedResult(): number[] {
  const program = trace(swiglu, [spec("float32", [2, 5]), spec("float32", [2, 5])]);
  const args = [randomTensor([2, 5], 1, "float32"), randomTensor([2, 5], 2, "float32")];
  return (evaluate(program, args) as Tensor).toNumbers();
}

function expectRightResult({ result }: KernelReport): void {
  const expected = expectedResult();
  expect(result).toHaveLength(expected.length);
  result!.forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index]!, 5);
  });
}

const { path: activePath, paths } = await kernelStatus();

describe("kernelStatus()", () => {
  const file = join(scratch, "file");
  writeFileSync(file, "");
  it.each([
    ["there is no compiler", { CC: "/nonexistent/cc" }, /no C compiler found/],
    ["the compiler fails", { CC: "false" }, /the C compiler failed: Command failed: false/],
    ["the cache folder cannot be made", { XDG_CACHE_HOME: join(file, "cache") }, /XDG_CACHE_HOME.*ENOTDIR/],
    [
      "the library cannot be loaded",
      { CC: compiler(MAKES_EMPTY_FILES) },
      /cannot load .*\.so \(remove it to build it again\)/,
    ],
    ["they are turned off", { FLACUNA_KERNELS: "off" }, /^FLACUNA_KERNELS=off$/],
  ])("tells why there are no kernels when %s; programs run without them", async (_, env, reason) => {
    const report = await inProcess({ XDG_CACHE_HOME: freshFolder(), ...env });
    expect(report.error).toBeUndefined();
    expect(report.status).toEqual({ paths: [], reason: expect.stringMatching(reason) });
    expectRightResult(report);
  });

  it("fails when a path is asked for and there are no kernels", async () => {
    const { error } = await inProcess({ FLACUNA_KERNELS: "portable", CC: "/nonexistent/cc" });
    expect(error).toEqual({
      code: "TENSOR_INVALID_ARGUMENT",
      message: expect.stringMatching(/FLACUNA_KERNELS=portable: no C compiler/),
    });
  });

  it.skipIf(activePath === undefined)("takes the path that the environment names", async () => {
    const report = await inProcess({ FLACUNA_KERNELS: "portable" });
    expect(report.status).toEqual({ path: "portable", paths });
    expectRightResult(report);
  });

  it.skipIf(activePath === undefined)("names the paths there are when asked for another", async () => {
    const { error } = await inProcess({ FLACUNA_KERNELS: "vax" });
    expect(error?.code).toBe("TENSOR_INVALID_ARGUMENT");
    expect(error?.message).toContain(`cannot run the path "vax"; expected one of ${paths.join(", ")}`);
  });

  it("compiles once when several processes ask at once", async () => {
    const log = join(scratch, "log");
    const env = {
      XDG_CACHE_HOME: freshFolder(),
      CC: compiler(`echo "$*" >> ${log}`, 'case "$*" in *-shared*) sleep 1 ;; esac', MAKES_EMPTY_FILES),
    };
    const reports = await Promise.all([inProcess(env), inProcess(env), inProcess(env)]);
    for (const report of reports) expectRightResult(report);
    const links = (await readFile(log, "utf8")).split("\n").filter((line) => line.includes("-shared"));
    expect(links).toHaveLength(1);
    expect(await readdir(join(env.XDG_CACHE_HOME, "flacuna/kernels"))).toEqual([
      expect.stringMatching(/^\w+\.so$/),
    ]);
  });

  it.skipIf(activePath === undefined)("leaves out the paths that the compiler is too old for", async () => {
    const old = compiler('case "$*" in *-mavx512f*) exit 1 ;; esac', 'exec cc "$@" -O0');
    const report = await inProcess({ XDG_CACHE_HOME: freshFolder(), CC: old });
    expect(report.status?.paths).toEqual(paths.filter((path) => ["avx2", "portable"].includes(path)));
    expectRightResult(report);
  });
});

describe("useKernelPath()", () => {
  it("rejects a path that cannot run here", async () => {
    await expect(useKernelPath("vax")).rejects.toMatchObject({ code: "TENSOR_INVALID_ARGUMENT" });
  });

  it.skipIf(activePath === undefined)("changes the path of every operator at once", async () => {
    for (const path of [...paths, activePath!]) {
      await useKernelPath(path);
      expect((await kernelStatus()).path).toBe(path);
    }
  });
});

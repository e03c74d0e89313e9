// Compiles the native kernels with the system's C compiler, once per version of their sources. Loads nothing.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { prune, takeTurns } from "./kernel-cache.ts";

const run = promisify(execFile);

const SOURCES = fileURLToPath(new URL("../../native/", import.meta.url));

const AVX512 = [
  "-mavx512f",
  "-mavx512bw",
  "-mavx512dq",
  "-mavx512vl",
  "-mavx512vnni",
  "-mavx2",
  "-mfma",
  "-mf16c",
];
const AMX = ["-DPATH_AMX", ...AVX512, "-mavx512bf16"];

type Paths = Readonly<Record<string, readonly string[]>>;

/** Flags of each instruction-set path of x86-64 beside the portable one. */
const X64_PATHS: Paths = {
  avx2: ["-DPATH_AVX2", "-mavx2", "-mfma", "-mf16c"],
  avx512: ["-DPATH_AVX512", ...AVX512],
  amx: [...AMX, "-mamx-tile", "-mamx-int8", "-mamx-bf16"],
};

const COMMON = ["-fPIC", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math"];

/** What is compiled here, before the compiler is asked what it knows. */
interface Build {
  readonly flags: readonly string[];
  /** beside the portable one */
  readonly paths: Paths;
}

/** For tests, FLACUNA_EMULATE_TILES=1 computes matrix tiles in plain C: code for them then runs wherever AVX-512 does. */
function buildHere(): Build {
  const isEmulated = process.env.FLACUNA_EMULATE_TILES === "1";
  const paths = isEmulated ? { ...X64_PATHS, amx: AMX } : X64_PATHS;
  return {
    flags: [...COMMON, ...(isEmulated ? ["-O1", "-DAMX_EMULATED"] : ["-O3"])],
    paths: process.arch === "x64" ? paths : {},
  };
}

/** The compiler's command, which may have arguments of its own, as in "ccache gcc". */
const compilerCommand = (): string => process.env.CC?.trim() || "cc";

/** Where the library of these sources, flags and platform belongs. */
export function kernelLibraryPath(): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([process.platform, process.arch, compilerCommand(), buildHere()]));
  for (const name of readdirSync(SOURCES).sort()) {
    if (/\.[ch]$/.test(name)) hash.update(name).update(readFileSync(join(SOURCES, name)));
  }
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "flacuna", "kernels", `${hash.digest("hex").slice(0, 24)}.so`);
}

/**
 * Builds the kernels, unless that was done before. Processes that ask at once wait for the first.
 *
 * @returns the library's path
 * @throws Error with the compiler's words when it fails, or with the system's (`code`, `syscall`, `path`) when there is
 * no compiler or the cache folder cannot be written
 */
export async function buildKernels(): Promise<string> {
  const library = kernelLibraryPath();
  if (existsSync(library)) return library;
  await mkdir(dirname(library), { recursive: true });
  await takeTurns(`${library}.lock`, async () => {
    if (existsSync(library)) return;
    await buildInto(library);
    await prune(dirname(library));
  });
  return library;
}

/** Puts a finished file in its place in one step: another process sees all of it or nothing. */
async function buildInto(library: string): Promise<void> {
  const folder = await mkdtemp(join(dirname(library), ".new-"));
  try {
    const built = join(folder, basename(library));
    await compileAndLink(folder, built);
    await rename(built, library);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Compile = (args: readonly string[]) => Promise<unknown>;

async function compileAndLink(folder: string, library: string): Promise<void> {
  const [command, ...ownArguments] = compilerCommand().split(/\s+/);
  const stop = new AbortController();
  const compile: Compile = (args) => run(command!, [...ownArguments, ...args], { signal: stop.signal });
  try {
    const { flags, paths } = buildHere();
    const isKnown = await Promise.all(Object.values(paths).map((each) => knowsFlags(compile, each)));
    const known = Object.entries(paths).filter((_, index) => isKnown[index]);
    const without = Object.keys(paths).filter((_, index) => !isKnown[index]);
    const units = [
      ...[["portable", []] as const, ...known].map(([path, pathFlags]) => ({
        source: "kernels.c",
        object: join(folder, `kernels-${path}.o`),
        flags: [`-DKERNEL_PATH=${path}`, ...pathFlags],
      })),
      ...["operators.c", "paths.c", "pool.c", "scratch.c"].map((source) => ({
        source,
        object: join(folder, source.replace(/c$/, "o")),
        flags: without.map((path) => `-DWITHOUT_${path.toUpperCase()}`),
      })),
    ];
    await Promise.all(
      units.map((unit) =>
        compile([...flags, ...unit.flags, "-c", join(SOURCES, unit.source), "-o", unit.object]),
      ),
    );
    await compile(["-shared", ...units.map(({ object }) => object), "-o", library, "-lm", "-lpthread"]);
  } finally {
    stop.abort();
  }
}

/** Whether the compiler is new enough for these flags: it says no by its exit status. */
async function knowsFlags(compile: Compile, flags: readonly string[]): Promise<boolean> {
  try {
    await compile([...flags, "-fsyntax-only", "-x", "c", join(SOURCES, "parallel.h")]);
    return true;
  } catch (error) {
    if (typeof (error as { code?: unknown }).code === "number") return false;
    throw error;
  }
}

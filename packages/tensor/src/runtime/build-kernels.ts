// Compiles the native kernels with the system's C compiler, once per version of their sources. Loads nothing.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

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

/** Flags of each instruction-set path of x86-64; other processors take the portable path alone. */
const X64_PATHS: Readonly<Record<string, readonly string[]>> = {
  portable: [],
  avx2: ["-DPATH_AVX2", "-mavx2", "-mfma", "-mf16c"],
  avx512: ["-DPATH_AVX512", ...AVX512],
  amx: [...AMX, "-mamx-tile", "-mamx-int8", "-mamx-bf16"],
};

const COMMON = ["-O3", "-fPIC", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math"];

/** How the kernels are built. */
export interface BuildOptions {
  /** computes matrix tiles in plain C, so that code for them runs on any CPU with AVX-512: for tests */
  readonly emulateTiles?: boolean;
}

interface Unit {
  readonly source: string;
  readonly object: string;
  readonly flags: readonly string[];
}

function unitsOf({ emulateTiles = false }: BuildOptions): Unit[] {
  const emulation = emulateTiles ? ["-DAMX_EMULATED"] : [];
  const paths = process.arch === "x64" ? X64_PATHS : { portable: [] };
  const kernels = Object.entries(paths).map(([path, flags]) => ({
    source: "kernels.c",
    object: `kernels-${path}.o`,
    flags: [`-DKERNEL_PATH=${path}`, ...(path === "amx" && emulateTiles ? AMX : flags), ...emulation],
  }));
  const shared = ["operators.c", "paths.c", "scratch.c"].map((source) => ({
    source,
    object: source.replace(/c$/, "o"),
    flags: emulation,
  }));
  return [...kernels, ...shared];
}

/** Where the library of these sources, flags and platform belongs. */
export function kernelLibraryPath(options: BuildOptions = {}): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify([process.platform, process.arch, process.env.CC ?? "cc", COMMON, unitsOf(options)]),
  );
  for (const name of readdirSync(SOURCES).sort()) {
    if (/\.[ch]$/.test(name)) hash.update(name).update(readFileSync(join(SOURCES, name)));
  }
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(cache, "flacuna", "kernels", `${hash.digest("hex").slice(0, 24)}.so`);
}

/**
 * Builds the kernels, unless that was done before.
 *
 * @returns the library's path
 * @throws Error with the compiler's words: when there is none (`ENOENT`), or when it fails
 */
export async function buildKernels(options: BuildOptions = {}): Promise<string> {
  const library = kernelLibraryPath(options);
  if (existsSync(library)) return library;
  const folder = await mkdtemp(join(tmpdir(), "flacuna-kernels-"));
  const compiler = process.env.CC ?? "cc";
  try {
    const units = unitsOf(options);
    await Promise.all(
      units.map(({ source, object, flags }) =>
        run(compiler, [...COMMON, ...flags, "-c", join(SOURCES, source), "-o", join(folder, object)]),
      ),
    );
    const built = join(folder, basename(library));
    const objects = units.map(({ object }) => join(folder, object));
    await run(compiler, ["-shared", ...objects, "-o", built, "-lm", "-lpthread"]);
    await publish(built, library);
    return library;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Puts a finished file in its place in one step: another process sees all of it or nothing. */
async function publish(built: string, library: string): Promise<void> {
  const folder = join(library, "..");
  await mkdir(folder, { recursive: true });
  const beside = await mkdtemp(join(folder, ".new-"));
  try {
    const copy = join(beside, basename(library));
    await copyFile(built, copy);
    await rename(copy, library);
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

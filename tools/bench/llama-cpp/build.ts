// llama.cpp's programs, built once from the source inside the PyPI package llama-cpp-python and kept in the cache folder.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism, homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeMachine } from "../machine.ts";
import { jsonLines, runTool } from "./run-tool.ts";

const VERSION = "0.3.36";
const FOLDER = join(homedir(), ".cache/flacuna", `llama-cpp-python-${VERSION}`);
const PROJECT = fileURLToPath(new URL(".", import.meta.url));
const PROGRAMS = ["llama-bench", "llama-batched-bench", "llama-quantize", "llama-score"] as const;

/** The programs, and how they were built. */
export interface LlamaCpp {
  /** Path of each program. */
  readonly programs: Readonly<Record<(typeof PROGRAMS)[number], string>>;
  /** For the report: package and options. */
  readonly version: string;
}

/** A way to build; the next one is taken where the programs of one do not run. */
interface Variant {
  readonly name: string;
  readonly options: readonly string[];
}

/** What the processor's flags are called among ggml's options. */
const AVX512_OPTIONS: Readonly<Record<string, string>> = {
  avx512f: "GGML_AVX512",
  avx512_vnni: "GGML_AVX512_VNNI",
  avx512_bf16: "GGML_AVX512_BF16",
};

/** First for this very processor; then without its matrix unit, whose code crashes under some hypervisors. */
function variants(): Variant[] {
  const flags = describeMachine().instructionSets;
  const options = Object.entries(AVX512_OPTIONS).filter(([flag]) => flags.includes(flag));
  return [
    { name: "native", options: ["-DGGML_NATIVE=ON"] },
    {
      name: "avx",
      options: ["-DGGML_NATIVE=OFF", ...options.map(([, option]) => `-D${option}=ON`)],
    },
  ];
}

/**
 * Builds what is missing, which takes minutes and a C++ compiler, and tries it on the model in `gguf`.
 *
 * @throws Error when no variant can be built and run
 */
export async function prepareLlamaCpp(gguf: string, log: (line: string) => void): Promise<LlamaCpp> {
  const failures: string[] = [];
  for (const variant of variants()) {
    try {
      return await prepareVariant(variant, gguf, log);
    } catch (error) {
      failures.push(`${variant.name}: ${(error as Error).message.split("\n")[0]}`);
      log(`llama.cpp, ${failures.at(-1)}`);
    }
  }
  throw new Error(
    `llama.cpp was not built; it needs python3 with venv and a C++ compiler (${failures.join("; ")})`,
  );
}

async function prepareVariant(
  { name, options }: Variant,
  gguf: string,
  log: (line: string) => void,
): Promise<LlamaCpp> {
  const build = join(FOLDER, `build-${name}`);
  const bin = join(build, "bin");
  const paths = PROGRAMS.map((program) => [program, join(bin, program)] as const);
  const programs = Object.fromEntries(paths) as LlamaCpp["programs"];
  const built = join(build, "built");
  if (!existsSync(built)) {
    log(`building llama.cpp (${options.join(" ")}) in ${build}: minutes, once`);
    await compile(await fetchSource(), build, options);
    await check(programs["llama-bench"], gguf);
    await writeFile(built, "");
  }
  return { programs, version: `${VERSION} (llama-cpp-python), ${options.join(" ")}` };
}

async function compile(source: string, build: string, options: readonly string[]): Promise<void> {
  const python = await buildPython();
  const cmake = join(python, "cmake");
  const type = [
    "-DCMAKE_BUILD_TYPE=Release",
    `-DLLAMA_CPP=${source}`,
    `-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=${build}/bin`,
  ];
  const ninja = ["-G", "Ninja", `-DCMAKE_MAKE_PROGRAM=${join(python, "ninja")}`];
  run(cmake, "-S", PROJECT, "-B", build, ...ninja, ...type, ...options);
  const jobs = String(availableParallelism());
  run(cmake, "--build", build, "--parallel", jobs, "--target", ...PROGRAMS);
}

/** Programs for another processor die at once: of an instruction that is not there, or may not be used. */
async function check(program: string, gguf: string): Promise<void> {
  const { stdout } = await runTool(program, ["-m", gguf, "-p", "32", "-n", "4", "-r", "1", "-o", "jsonl"]);
  if (jsonLines(stdout).length === 0) throw new Error(`${program} measured nothing`);
}

/** The folder of llama.cpp's source. */
async function fetchSource(): Promise<string> {
  const source = join(FOLDER, "source");
  const inner = join(source, "vendor/llama.cpp");
  if (existsSync(inner)) return inner;
  await mkdir(FOLDER, { recursive: true });
  const work = await mkdtemp(`${source}.partial-`);
  try {
    const wanted = ["--no-deps", "--no-binary", "llama-cpp-python", `llama-cpp-python==${VERSION}`];
    run("python3", "-m", "pip", "download", "--quiet", "--dest", work, ...wanted);
    const archive = (await readdir(work)).find((file) => file.endsWith(".tar.gz"));
    if (archive === undefined) throw new Error("pip brought no source archive of llama-cpp-python");
    run("tar", "-xzf", join(work, archive), "-C", work);
    await rename(join(work, archive.replace(/\.tar\.gz$/, "")), source);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return inner;
}

/** The folder of a virtual environment's programs, with cmake and ninja among them. */
async function buildPython(): Promise<string> {
  const folder = join(FOLDER, "python");
  const bin = join(folder, "bin");
  if (!existsSync(join(bin, "ninja"))) {
    run("python3", "-m", "venv", folder);
    run(join(bin, "python"), "-m", "pip", "install", "--quiet", "cmake", "ninja");
  }
  return bin;
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ["ignore", process.stderr, "inherit"] });
}

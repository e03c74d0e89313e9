// GGUF files of one model in the formats that are compared, made once by llama.cpp's quantizer.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, readdir, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { readGguf } from "@flacuna/model";

/** `general.file_type` of a file that is of one format for the most part. */
const FILE_TYPES = { q4_0: 2, q4_1: 3, q8_0: 7 } as const;
export type GgufFormat = keyof typeof FILE_TYPES;

const CACHE = join(homedir(), ".cache/flacuna/gguf");

/** The GGUF file that is given, or the one in `folder`. */
export async function findGguf(folder: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const name = (await readdir(folder)).find((file) => file.endsWith(".gguf"));
  if (name === undefined) throw new Error(`${folder} holds no GGUF file for llama.cpp: give one with --gguf`);
  return join(folder, name);
}

/** The path of `base` in `format`: itself, or a copy whose weights were rounded again. */
export async function prepareGguf(
  base: string,
  format: GgufFormat,
  quantize: string,
  log: (line: string) => void,
): Promise<string> {
  const { metadata } = await readGguf(base);
  if (metadata.get("general.file_type") === FILE_TYPES[format]) return base;
  const path = join(CACHE, `${basename(base, ".gguf")}-${identity(base)}.${format}.gguf`);
  if (existsSync(path)) return path;
  log(`making ${path}`);
  await mkdir(CACHE, { recursive: true });
  const partial = `${path}.partial`;
  execFileSync(quantize, ["--allow-requantize", base, partial, format], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  await rename(partial, path);
  return path;
}

/** Tells files of one name apart without reading them. */
function identity(path: string): string {
  const { size, mtimeMs } = statSync(path);
  return createHash("sha256").update(`${path} ${size} ${mtimeMs}`).digest("hex").slice(0, 8);
}

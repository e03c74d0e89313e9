// The folder of converted weights: files that appear whole, are mapped, and make room for newer ones. Converts nothing.
import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DTYPES, elementCount, type Tensor } from "@flacuna/tensor";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import type { SafetensorsEntry } from "./safetensors-header.ts";

/** Room for two models of 13 billion weights in 8 bits. */
const DEFAULT_LIMIT_GIB = 32;

/** Where converted weights are kept: `FLACUNA_CACHE`, or `~/.cache/flacuna`, and there `weights`. */
export const cacheFolder = (): string =>
  join(process.env.FLACUNA_CACHE || join(homedir(), ".cache/flacuna"), "weights");

/** What the folder may hold: `FLACUNA_CACHE_GIB`, or 32. */
function limitBytes(): number {
  const given = process.env.FLACUNA_CACHE_GIB;
  const gib = given ? Number(given) : DEFAULT_LIMIT_GIB;
  return (gib >= 0 ? gib : DEFAULT_LIMIT_GIB) * 2 ** 30;
}

/** A file of the cache. */
export interface KeptWeights {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** The tensor called `name`, in the file's own pages; undefined when it is damaged: then the file is no longer kept. */
  read(name: string): Promise<Tensor | undefined>;
}

/** The file of the cache at `path`, where there is one that is whole. It counts as used now. */
export async function openKept(path: string): Promise<KeptWeights | undefined> {
  try {
    const file = await readSafetensors(path, { isMapped: true });
    const checksums = JSON.parse(file.metadata.checksums!) as Readonly<Record<string, number>>;
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return {
      tensors: file.tensors,
      async read(name) {
        const tensor = await file.read(name);
        if (checksum(tensor) === checksums[name]) return tensor;
        await rm(path, { force: true }).catch(() => undefined);
        return undefined;
      },
    };
  } catch {
    return undefined;
  }
}

/** Keeps `tensors` at `path`, where they fit, and lets the files go that were not used for longest. */
export async function keep(path: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const limit = limitBytes();
  const bytes = [...tensors.values()].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  if (bytes > limit) return;
  await mkdir(cacheFolder(), { recursive: true });
  const checksums = Object.fromEntries([...tensors].map(([name, tensor]) => [name, checksum(tensor)]));
  await writeSafetensors(
    path,
    [...tensors].map(([name, tensor]) => ({
      name,
      dtype: tensor.dtype,
      shape: tensor.shape,
      read: () => tensor,
    })),
    { metadata: { checksums: JSON.stringify(checksums) } },
  );
  await makeRoom(cacheFolder(), limit);
}

/** Removes the files that were not used for longest until the others fit. Who has one mapped keeps it until they end. */
async function makeRoom(folder: string, limit: number): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const path = join(folder, name);
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
      return { path, size, mtimeMs };
    }),
  );
  let total = 0;
  for (const { path, size } of files.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    total += size;
    if (total > limit) await rm(path, { force: true }).catch(() => undefined);
  }
}

const bytesOf = ({ dtype, shape }: Tensor): number => elementCount(shape) * DTYPES[dtype].byteWidth;

/** Of every 64 bytes four are summed: what disks and copies lose is larger, and all of them would take five times as long. */
const STRIDE = 16;

/** Sums of words and of these sums, so that order matters as well. */
function checksum({ data }: Tensor): number {
  const words = new Int32Array(data.buffer, data.byteOffset, data.byteLength >> 2);
  let sum = words.length;
  let sumOfSums = 0;
  for (let index = 0; index < words.length; index += STRIDE) {
    sum = (sum + words[index]!) | 0;
    sumOfSums = (sumOfSums + sum) | 0;
  }
  return sumOfSums;
}

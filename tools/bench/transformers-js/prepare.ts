// transformers.js and the model as it reads it: ONNX with weights of 4 bits, exported once by onnxruntime-genai's builder.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readCheckpoint } from "@flacuna/model";
import { prepareNodePackages } from "../node-package.ts";
import { Worker } from "../worker.ts";

const VERSION = "4.3.1";
const BUILDER = ["onnxruntime-genai==0.18.0", "onnx", "onnx-ir"];
const CACHE = join(homedir(), ".cache/flacuna");
const FIX_HEAD_SIZE = fileURLToPath(new URL("../peer/fix-head-size.py", import.meta.url));
const WORKER = fileURLToPath(new URL("transformers-js-worker.ts", import.meta.url));

/** The exported model, and what starts a worker that loads it. */
export interface TransformersJs {
  /** A folder as on the hub, with `onnx/model_q4.onnx`. */
  readonly model: string;
  readonly start: () => Promise<Worker>;
}

/** Installs and exports what is missing. `python` has torch and transformers. */
export async function prepareTransformersJs(
  model: string,
  python: string,
  log: (line: string) => void,
): Promise<TransformersJs> {
  const packages = [`@huggingface/transformers@${VERSION}`];
  const folder = await prepareNodePackages(`transformers-js-${VERSION}`, packages, log);
  const exported = await exportModel(model, python, log);
  return {
    model: exported,
    start: () => Worker.start(process.execPath, [...process.execArgv, WORKER, folder]),
  };
}

async function exportModel(model: string, python: string, log: (line: string) => void): Promise<string> {
  const key = createHash("sha256").update(model).digest("hex").slice(0, 8);
  const out = join(CACHE, "onnx", `${basename(model)}-${key}`);
  if (existsSync(out)) return out;
  log(`exporting ${model} to ONNX in ${out}`);
  await mkdir(join(CACHE, "onnx"), { recursive: true });
  const work = await mkdtemp(`${out}.partial-`);
  try {
    await mkdir(join(work, "folder"));
    const onnx = join(work, "folder/onnx");
    const builder = ["-m", "onnxruntime_genai.models.builder", "-i", model, "-o", onnx];
    const format = ["-p", "int4", "-e", "cpu", "-c", join(work, "cache")];
    const run = (...args: readonly string[]) =>
      execFileSync(python, args, {
        env: { ...process.env, PYTHONPATH: installBuilder(python) },
        stdio: ["ignore", process.stderr, "inherit"],
      });
    run(...builder, ...format);
    const { config } = await readCheckpoint(model);
    run(FIX_HEAD_SIZE, join(onnx, "model.onnx"), String(config.headDim));
    await rename(join(onnx, "model.onnx"), join(onnx, "model_q4.onnx"));
    const copied = (await readdir(model)).filter((file) => /^(config|tokenizer.*)\.json$/.test(file));
    for (const file of copied) await copyFile(join(model, file), join(work, "folder", file));
    await rename(join(work, "folder"), out);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return out;
}

/** A folder of Python packages beside those of `python`, which stays as it is. */
function installBuilder(python: string): string {
  const folder = join(CACHE, "onnx-builder");
  if (!existsSync(join(folder, "onnx_ir"))) {
    execFileSync(python, ["-m", "pip", "install", "--quiet", "--target", folder, ...BUILDER], {
      stdio: ["ignore", process.stderr, "inherit"],
    });
  }
  return folder;
}

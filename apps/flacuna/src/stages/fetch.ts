// The inputs of a reproduction: base model, FLAN-MINI, benchmark files, held-out chats.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hashFile } from "@flacuna/data";
import { runStage, type StageOutcome } from "../artifacts.ts";
import { AppError } from "../errors.ts";
import { modelPath } from "../model-path.ts";
import { writeBenchmarks } from "../nano/benchmarks/write-benchmarks.ts";
import { flanMiniRows } from "../nano/flan-mini.ts";
import { heldOutChats } from "../nano/held-out-chats.ts";
import { createWorld } from "../nano/world.ts";
import { NANO_BASE_FOLDER } from "../paths.ts";
import type { PresetSource } from "../presets.ts";
import type { RunContext } from "./stage.ts";

/** Where the inputs are, and their hashes. */
export interface FetchResult {
  readonly baseFolder: string;
  readonly dataset: string;
  readonly chats: string;
  readonly benchmarks: string;
  readonly hashes: Readonly<Record<string, string>>;
}

/** Brings or generates the inputs of the preset. */
export async function fetchInputs(context: RunContext): Promise<StageOutcome<FetchResult>> {
  const { source } = context.preset;
  if (source.kind === "released") throw await needsDownloads(source);
  const weights = join(NANO_BASE_FOLDER, "model.safetensors");
  if (!existsSync(weights)) {
    throw new AppError(
      "APP_BASE_MISSING",
      `${NANO_BASE_FOLDER}: the nano base is not there; make it with "flacuna pretrain"`,
    );
  }
  const base = await hashFile(weights);
  return runStage(context.folder, "fetch", { source, base }, (folder) =>
    generateInputs(folder, source, base),
  );
}

async function generateInputs(
  folder: string,
  source: Extract<PresetSource, { kind: "embedded" }>,
  base: string,
): Promise<FetchResult> {
  const world = createWorld(source.worldSeed);
  const dataset = join(folder, "flan_mini.json");
  const chats = join(folder, "held_out_chats.json");
  const benchmarks = join(folder, "benchmarks");
  await writeFile(dataset, JSON.stringify([...flanMiniRows(world, { rowCount: source.rows })]));
  await writeFile(chats, JSON.stringify(heldOutChats(world, source.chats)));
  await writeBenchmarks(benchmarks, world);
  const hashes = { base, dataset: await hashFile(dataset), chats: await hashFile(chats) };
  return { baseFolder: NANO_BASE_FOLDER, dataset, chats, benchmarks, hashes };
}

async function needsDownloads(source: Extract<PresetSource, { kind: "released" }>): Promise<AppError> {
  const base = await modelPath(source.baseModel).catch(
    () => `flacuna fetch ${source.baseModel} brings it (26 GB in float16), if it is there as safetensors`,
  );
  const lines = [
    `the released inputs have to be brought first; this version does not bring all of them:`,
    `  base model    ${source.baseModel}: ${base}`,
    `  training data ${source.dataset}: flan_mini.json.zip (1.01 GB), unpacked`,
    ...source.benchmarks.map((benchmark) => `  benchmark     ${benchmark}`),
    `  device        CUDA, or 26 GB of memory for the 13B base`,
    `the nano preset runs the same stages without any download: flacuna reproduce --preset nano`,
  ];
  return new AppError("APP_INPUTS_MISSING", lines.join("\n"));
}

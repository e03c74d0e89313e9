// Writes all benchmark files of a nano world below one folder, in the layout of their original releases.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { World } from "../world.ts";
import { bbhFiles } from "./bbh.ts";
import { crassFile } from "./crass.ts";
import { dropFile } from "./drop.ts";
import { humanEvalFile } from "./humaneval.ts";
import { mmluFiles } from "./mmlu.ts";

/** How many items each benchmark has. */
export interface BenchmarkSizes {
  readonly mmluTestRows: number;
  readonly bbhRows: number;
  readonly dropPassages: number;
  readonly crassRows: number;
  readonly humanEvalProblems: number;
}

/** Sizes of the nano preset. */
const NANO_BENCHMARK_SIZES: BenchmarkSizes = {
  mmluTestRows: 26,
  bbhRows: 53,
  dropPassages: 130,
  crassRows: 200,
  humanEvalProblems: 64,
};

const prefixed = (folder: string, files: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(files).map(([path, contents]) => [`${folder}/${path}`, contents]);

/** All benchmark files by path below the benchmark folder. */
export function benchmarkFiles(
  world: World,
  sizes: BenchmarkSizes = NANO_BENCHMARK_SIZES,
): Map<string, string> {
  return new Map([
    ...prefixed("mmlu", mmluFiles(world, sizes.mmluTestRows)),
    ...prefixed("bbh", bbhFiles(world, sizes.bbhRows)),
    ["drop/drop_dataset_dev.json", dropFile(world, sizes.dropPassages)],
    ["crass/CRASS_FTM_main_data_set.csv", crassFile(world, sizes.crassRows)],
    ["humaneval/HumanEval.jsonl", humanEvalFile(world, sizes.humanEvalProblems)],
  ]);
}

/** Writes the benchmark files below `folder`, creating folders as needed. */
export async function writeBenchmarks(
  folder: string,
  world: World,
  sizes: BenchmarkSizes = NANO_BENCHMARK_SIZES,
): Promise<void> {
  for (const [path, contents] of benchmarkFiles(world, sizes)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, contents);
  }
}

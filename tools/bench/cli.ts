// `pnpm bench NAME [options]`: runs one of the benchmarks.
import { benchGenerate } from "./generate/generate.ts";
import { benchPrecision } from "./precision.ts";
import { benchScore } from "./score/score.ts";
import { benchTrain } from "./train.ts";
import { benchSize } from "./train-13b.ts";
import { benchTrainFull } from "./train-full.ts";

const BENCHMARKS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  generate: benchGenerate,
  precision: benchPrecision,
  score: benchScore,
  train: benchTrain,
  "train-13b": benchSize,
  "train-full": benchTrainFull,
};

const [name = "", ...args] = process.argv.slice(2);
const benchmark = BENCHMARKS[name];
if (benchmark === undefined) {
  process.stderr.write(`usage: pnpm bench ${Object.keys(BENCHMARKS).join(" | ")} [--help]\n`);
  process.exitCode = 2;
} else {
  await benchmark(args).catch((error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  });
}

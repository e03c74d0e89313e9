// `pnpm bench generate`: prefill, decoding and many requests at once, ours against llama.cpp at its best.
import { readGguf } from "@flacuna/model";
import { measurePeaks } from "../machine.ts";
import { sum } from "../statistics.ts";
import { measureTransformersJs } from "../transformers-js/measure.ts";
import { type Comparison, compare } from "./compare.ts";
import { parseGenerateOptions, USAGE } from "./options.ts";
import { measurePerplexity } from "./perplexity.ts";
import {
  type BenchHeader,
  formatBenchHeader,
  formatComparison,
  formatPerplexity,
  formatReadPeak,
  formatReference,
} from "./report.ts";
import { type GenerateSetup, withGenerateSetup } from "./setup.ts";
import { type GenerateBenchResults, toGenerateSummary } from "./summary.ts";
import { workloads } from "./workload.ts";

/** Runs the parts that are asked for; the last line on standard output is JSON. */
export async function benchGenerate(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const options = parseGenerateOptions(args, process.env);
  const started = performance.now();
  const summary = await withGenerateSetup(options, async (setup) => {
    const header = headerOf(setup);
    print(formatBenchHeader(header));
    return toGenerateSummary(header, await measure(setup));
  });
  print([`${((performance.now() - started) / 1e3).toFixed(0)} s in all`]);
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

/** A section of the report, as soon as it is known. */
const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n")}\n\n`);

function headerOf({ machine, versions, prompts, model, threads, options }: GenerateSetup): BenchHeader {
  return { machine, versions, dataOrigin: prompts.origin, model, threads, isQuick: options.isQuick };
}

async function measure(setup: GenerateSetup): Promise<GenerateBenchResults> {
  const { options, threads, scratch, gguf, config, log } = setup;
  const { parts } = options;
  const peaks = parts.has("decode") ? measurePeaks(threads, scratch, log) : undefined;
  if (peaks) print(formatReadPeak(peaks));
  const comparisons: Comparison[] = [];
  for (const workload of workloads(options).filter(({ kind }) => parts.has(kind))) {
    for (const bits of options.bits) {
      const comparison = await compare(setup, workload, bits);
      print(formatComparison(comparison));
      comparisons.push(comparison);
    }
  }
  const perplexity = parts.has("perplexity") ? await measurePerplexity(setup) : undefined;
  if (perplexity) print(formatPerplexity(perplexity));
  const transformersJs = parts.has("transformers-js") ? await measureTransformersJs(setup) : undefined;
  if (transformersJs) print(formatReference(transformersJs));
  const { tensors } = await readGguf(gguf);
  const ggufBytes = sum([...tensors.values()].map(({ length }) => length));
  return { config, ggufBytes, comparisons, peaks, perplexity, transformersJs };
}

// The table of `pnpm bench train-13b --table`: memory and time against model size, length and batch.
import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { DTYPES } from "@flacuna/tensor";
import { significant } from "./statistics.ts";
import type { SizeCase, SizeMeasurement } from "./train-13b-job.ts";
import type { SizeOptions } from "./train-13b-options.ts";
import { SHAPES, type ShapeName } from "./train-13b-shapes.ts";
import { weightBytes } from "./train-13b-weights.ts";

const GIB = 2 ** 30;

/** Rows and their length. */
const BATCHES = [
  { batchSize: 1, length: 256 },
  { batchSize: 1, length: 512 },
  { batchSize: 1, length: 1280 },
  { batchSize: 4, length: 512 },
] as const;

/** What the process takes beside weights and activations: Node.js, the runtime, the adapter. */
const BASE_BYTES = GIB / 2;
/** Values that a token leaves behind in a layer, in widths of the residual stream and of the feed-forward block. */
const STREAM_VALUES = 10;
const BLOCK_VALUES = 3;

/** Prints a row per case that fits into memory, and returns them. */
export async function measureTable(
  options: SizeOptions,
  measure: (each: SizeCase) => Promise<SizeMeasurement>,
  print: (lines: readonly string[]) => void,
): Promise<Record<string, unknown>> {
  print(["| model | precision | batch | weights, GiB | most resident, GiB | seconds | tokens/s |"]);
  const rows: Record<string, unknown>[] = [];
  for (const { name, each } of casesOf(options)) {
    const { precision, batchSize, length } = each;
    const title = { model: name, precision, batchSize, length, weightsGib: significant(weightsGib(each)) };
    if (estimateBytes(each, options) > availableBytes()) {
      print([
        `| ${name} | ${precision} | ${batchSize}x${length} | ${weightsGib(each).toFixed(2)} | does not fit | | |`,
      ]);
      rows.push({ ...title, gib: null, seconds: null });
      continue;
    }
    const { peakBytes, seconds } = await measure(each);
    const time = seconds[0]!;
    rows.push({ ...title, gib: significant(peakBytes / GIB), seconds: significant(time) });
    print([
      `| ${name} | ${precision} | ${batchSize}x${length} | ${weightsGib(each).toFixed(2)} | ` +
        `${(peakBytes / GIB).toFixed(2)} | ${time.toFixed(2)} | ${((batchSize * length) / time).toFixed(0)} |`,
    ]);
  }
  return { rows };
}

function casesOf({
  precisions,
  isQuick,
}: SizeOptions): { readonly name: ShapeName; readonly each: SizeCase }[] {
  const names = Object.keys(SHAPES) as ShapeName[];
  return (isQuick ? names.slice(0, 1) : names).flatMap((name) =>
    precisions.flatMap((precision) =>
      BATCHES.map((batch) => ({ name, each: { config: SHAPES[name], precision, ...batch } })),
    ),
  );
}

const weightsGib = ({ config, precision }: SizeCase): number => weightBytes(config, precision) / GIB;

function estimateBytes(
  { config, precision, batchSize, length }: SizeCase,
  { savedActivations }: SizeOptions,
): number {
  const { hiddenSize, intermediateSize, numHiddenLayers } = config;
  const { byteWidth } = DTYPES[savedActivations];
  const perLayer = byteWidth * (STREAM_VALUES * hiddenSize + BLOCK_VALUES * intermediateSize);
  return weightBytes(config, precision) + BASE_BYTES + batchSize * length * numHiddenLayers * perLayer;
}

/** Memory that can be had without swapping. */
function availableBytes(): number {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
    return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024;
  } catch {
    return freemem();
  }
}

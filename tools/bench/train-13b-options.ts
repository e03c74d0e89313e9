// The command line of `pnpm bench train-13b`.
import { availableParallelism, homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { SHAPES, type ShapeName } from "./train-13b-shapes.ts";
import type { SmallPrecision } from "./train-13b-weights.ts";

export interface SizeOptions {
  readonly shape: ShapeName;
  /** of the shape's layers, the first so many */
  readonly layers: number;
  readonly precisions: readonly SmallPrecision[];
  readonly length: number;
  readonly batchSize: number;
  readonly threads: number;
  /** measured steps, after one that is not */
  readonly steps: number;
  readonly recompute: boolean;
  readonly savedActivations: "float32" | "bfloat16";
  readonly hasProfile: boolean;
  readonly isTable: boolean;
  readonly isQuick: boolean;
  /** where random weights are kept from run to run */
  readonly cache: string;
}

const SHAPE_NAMES = Object.keys(SHAPES) as ShapeName[];
const PRECISIONS: readonly SmallPrecision[] = ["int8", "int4", "bfloat16"];
const SAVED = ["float32", "bfloat16"] as const;

/** Layers of a quick run. */
const QUICK_LAYERS = 2;

export const USAGE = `pnpm bench train-13b [options]
  --precision LIST   among ${PRECISIONS.join(", ")} (default int8,int4)
  --shape NAME       ${SHAPE_NAMES.join(", ")} (default 13b)
  --layers N         only the first N layers (default: all)
  --length N         tokens of a row (default 256)
  --batch N          rows (default 1)
  --recompute        computes each layer again for the gradient
  --save DTYPE       dtype of kept activations: ${SAVED.join(", ")} (default bfloat16)
  --threads N        (default: the cores)
  --skip-profile     leaves out the time per kind of operator
  --table            all shapes, several lengths and batches; what does not fit into memory is left out
  --cache DIR        keeps the random weights (default ~/.cache/flacuna/random); 14 GB for int8, 9 GB for int4
  --quick            ${QUICK_LAYERS} layers, one step: to see that it works, not to measure`;

/**
 * The options in `args`.
 *
 * @throws TypeError (unknown option), Error (a value that makes no sense)
 */
export function parseSizeOptions(args: readonly string[]): SizeOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      precision: { type: "string", default: "int8,int4" },
      shape: { type: "string", default: "13b" },
      layers: { type: "string" },
      length: { type: "string", default: "256" },
      batch: { type: "string", default: "1" },
      recompute: { type: "boolean", default: false },
      save: { type: "string", default: "bfloat16" },
      threads: { type: "string", default: String(availableParallelism()) },
      "skip-profile": { type: "boolean", default: false },
      table: { type: "boolean", default: false },
      cache: { type: "string", default: join(homedir(), ".cache/flacuna/random") },
      quick: { type: "boolean", default: false },
    },
  });
  const shape = oneOf("--shape", SHAPE_NAMES, values.shape);
  const most = SHAPES[shape].numHiddenLayers;
  const layers = values.layers ?? String(values.quick ? QUICK_LAYERS : most);
  return {
    shape,
    layers: Math.min(most, positive("--layers", layers)),
    precisions: values.precision.split(",").map((each) => oneOf("--precision", PRECISIONS, each)),
    length: positive("--length", values.length),
    batchSize: positive("--batch", values.batch),
    threads: positive("--threads", values.threads),
    steps: values.quick ? 1 : 3,
    recompute: values.recompute,
    savedActivations: oneOf("--save", SAVED, values.save),
    hasProfile: !values["skip-profile"],
    isTable: values.table,
    isQuick: values.quick,
    cache: resolve(values.cache),
  };
}

function oneOf<T extends string>(option: string, known: readonly T[], text: string): T {
  const found = known.find((each) => each === text);
  if (found === undefined) throw new Error(`${option}: expected ${known.join(", ")}, got "${text}"`);
  return found;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${option}: expected a whole number from 1, got "${text}"`);
  return value;
}

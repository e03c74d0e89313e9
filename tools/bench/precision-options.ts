// The command line of `pnpm bench precision`.
import { resolve } from "node:path";
import { parseArgs } from "node:util";

/** What is held to float32. */
export const COMPARED = ["int8", "bfloat16", "int4"] as const;
export type Compared = (typeof COMPARED)[number];

/** How much is measured; rows are `length` tokens, micro-batches `batchSize` rows. */
export interface PrecisionAmounts {
  readonly length: number;
  readonly batchSize: number;
  /** micro-batches whose gradients are compared */
  readonly gradientBatches: number;
  /** optimiser steps of the fine-tuning, one micro-batch each */
  readonly steps: number;
  readonly heldOutBatches: number;
}

export interface PrecisionBenchOptions {
  readonly model: string | undefined;
  readonly data: string | undefined;
  readonly threads: number | undefined;
  readonly precisions: readonly Compared[];
  readonly isQuick: boolean;
  readonly amounts: PrecisionAmounts;
}

const FULL: PrecisionAmounts = {
  length: 256,
  batchSize: 4,
  gradientBatches: 4,
  steps: 80,
  heldOutBatches: 8,
};

const QUICK: PrecisionAmounts = {
  length: 128,
  batchSize: 2,
  gradientBatches: 1,
  steps: 3,
  heldOutBatches: 1,
};

export const PRECISION_USAGE = `pnpm bench precision [options]
  --model DIR        checkpoint folder (default: SmolLM2-135M-Instruct, made once by tools/smollm2.ts); where it holds a
                     GGUF file, its weights are taken, and int4 computes with its blocks
  --data DIR         folder with instruct/SOURCE/… (default: FLACUNA_DATA; without either, text is made up)
  --precisions LIST  among ${COMPARED.join(", ")} (default: all)
  --steps N          optimiser steps of the fine-tuning (default: ${FULL.steps})
  --threads N        (default: the cores)
  --quick            little of everything: to see that it works, not to measure`;

/**
 * The options in `args`.
 *
 * @throws TypeError (unknown option), Error (a value that makes no sense)
 */
export function parsePrecisionOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): PrecisionBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      data: { type: "string" },
      precisions: { type: "string", default: COMPARED.join(",") },
      steps: { type: "string" },
      threads: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const data = values.data ?? environment["FLACUNA_DATA"];
  const amounts = values.quick ? QUICK : FULL;
  return {
    model: values.model === undefined ? undefined : resolve(values.model),
    data: data === undefined || data === "" ? undefined : resolve(data),
    threads: values.threads === undefined ? undefined : positive("--threads", values.threads),
    precisions: values.precisions.split(",").map(parsePrecision),
    isQuick: values.quick,
    amounts: values.steps === undefined ? amounts : { ...amounts, steps: positive("--steps", values.steps) },
  };
}

function parsePrecision(text: string): Compared {
  const precision = COMPARED.find((each) => each === text);
  if (precision === undefined) {
    throw new Error(`--precisions: expected ${COMPARED.join(", ")}, got "${text}"`);
  }
  return precision;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${option}: expected a whole number from 1, got "${text}"`);
  }
  return value;
}

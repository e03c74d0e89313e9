// The command line of `pnpm bench generate`.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { WorkloadOptions } from "./workload.ts";

/** What can be measured on its own. */
const PARTS = ["prefill", "decode", "throughput", "perplexity", "transformers-js"] as const;
export type Part = (typeof PARTS)[number];

/** Widths of the weights that are compared. */
export const BITS = ["8", "4"] as const;
export type Bits = (typeof BITS)[number];

export interface GenerateBenchOptions extends WorkloadOptions {
  readonly model: string | undefined;
  readonly gguf: string | undefined;
  readonly data: string | undefined;
  readonly python: string | undefined;
  readonly threads: number | undefined;
  readonly bits: readonly Bits[];
  readonly parts: ReadonlySet<Part>;
  /** turns of every side */
  readonly rounds: number;
  /** pieces of text for the perplexity */
  readonly windows: number;
}

const ROUNDS = 5;
const WINDOWS = 48;
const CONCURRENCIES = "8,32";

export const USAGE = `pnpm bench generate [options]
  --model DIR    checkpoint folder (default: SmolLM2-135M-Instruct, made once by tools/smollm2.ts)
  --gguf FILE    the same model for llama.cpp (default: the GGUF file in the folder); its 4-bit blocks are ours, too
  --data DIR     folder with instruct/SOURCE/… (default: FLACUNA_DATA; without either, text is made up)
  --python PATH  Python with torch and transformers, which exports the model for transformers.js (default: a virtual
                 environment that is made once)
  --threads N    threads of all sides (default: the cores)
  --bits LIST    among ${BITS.join(", ")} (default: both)
  --only LIST    among ${PARTS.join(", ")}
  --concurrency LIST
                 requests at once (default ${CONCURRENCIES})
  --rounds N     turns of every side (default ${ROUNDS})
  --quick        few turns, tokens and settings: to see that it works, not to measure

The first run builds llama.cpp from its source, which takes minutes and a C++ compiler, and installs node-llama-cpp.`;

/**
 * The options in `args`.
 *
 * @throws TypeError (unknown option), Error (a value that makes no sense)
 */
export function parseGenerateOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): GenerateBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      gguf: { type: "string" },
      data: { type: "string" },
      python: { type: "string" },
      threads: { type: "string" },
      bits: { type: "string", default: BITS.join(",") },
      only: { type: "string", default: PARTS.join(",") },
      concurrency: { type: "string", default: CONCURRENCIES },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const path = (value: string | undefined) => (value ? resolve(value) : undefined);
  return {
    model: path(values.model),
    gguf: path(values.gguf),
    data: path(values.data ?? environment["FLACUNA_DATA"]),
    python: values.python,
    threads: values.threads === undefined ? undefined : positive("--threads", values.threads),
    bits: values.bits.split(",").map((text) => among("--bits", BITS, text)),
    parts: new Set(values.only.split(",").map((text) => among("--only", PARTS, text))),
    concurrencies: values.concurrency.split(",").map((text) => positive("--concurrency", text)),
    rounds: values.rounds === undefined ? (values.quick ? 2 : ROUNDS) : positive("--rounds", values.rounds),
    windows: values.quick ? 2 : WINDOWS,
    isQuick: values.quick,
  };
}

/** @throws Error unless `text` is one of `choices` */
export function among<T extends string>(option: string, choices: readonly T[], text: string): T {
  const choice = choices.find((each) => each === text);
  if (choice === undefined) throw new Error(`${option}: expected ${choices.join(", ")}, got "${text}"`);
  return choice;
}

/** @throws Error unless `text` is a whole number from 1 */
export function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${option}: expected a whole number from 1, got "${text}"`);
  return value;
}

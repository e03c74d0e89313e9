// The command line of `pnpm bench train`.
import { resolve } from "node:path";
import { parseArgs } from "node:util";

/** What can be measured on its own. */
export const PARTS = ["machine", "speed", "memory", "profile", "curve", "real"] as const;
export type Part = (typeof PARTS)[number];

/** A micro-batch of full rows. */
export interface BatchShape {
  readonly batchSize: number;
  readonly length: number;
}

/** How much is measured. */
export interface Amounts {
  /** optimiser steps of every trial of a peer's settings, after one that does not count */
  readonly trialSteps: number;
  /** turns of every side */
  readonly rounds: number;
  /** optimiser steps of a turn */
  readonly stepsPerRound: number;
  /** examples of mixed length */
  readonly realExamples: number;
  /** examples of every trial of the peer's batch size */
  readonly realTrialExamples: number;
  /** optimiser steps of the loss curves */
  readonly curveSteps: number;
}

export interface TrainBenchOptions {
  readonly model: string | undefined;
  readonly data: string | undefined;
  readonly python: string | undefined;
  readonly precision: string | undefined;
  readonly shapes: readonly BatchShape[];
  readonly threads: number | undefined;
  readonly compile: boolean;
  readonly isQuick: boolean;
  readonly parts: ReadonlySet<Part>;
  readonly amounts: Amounts;
}

const FULL: Amounts = {
  trialSteps: 2,
  rounds: 5,
  stepsPerRound: 2,
  realExamples: 500,
  realTrialExamples: 32,
  curveSteps: 50,
};

const QUICK: Amounts = {
  trialSteps: 1,
  rounds: 2,
  stepsPerRound: 1,
  realExamples: 24,
  realTrialExamples: 16,
  curveSteps: 4,
};

/** Without a batch size a micro-batch has about this many tokens. */
const TOKENS_PER_BATCH = 1024;

export const USAGE = `pnpm bench train [options]
  --model DIR      checkpoint folder (default: SmolLM2-135M-Instruct, made once by tools/smollm2.ts)
  --data DIR       folder with instruct/SOURCE/… (default: FLACUNA_DATA; without either, text is made up)
  --python PATH    Python with torch, transformers and peft (default: a virtual environment that is made once)
  --precision P    how ours computes (default: int8 where this build has it, else float32)
  --lengths LIST   rows' lengths, each perhaps with a batch size: 512,1280 or 8x512 (default 512,1280)
  --threads N      threads of both sides (default: the cores)
  --only LIST      among ${PARTS.join(", ")}
  --skip-compile   leaves torch.compile out
  --quick          few steps and settings: to see that it works, not to measure`;

/**
 * The options in `args`.
 *
 * @throws TypeError (unknown option), Error (a value that makes no sense)
 */
export function parseOptions(args: readonly string[], environment: NodeJS.ProcessEnv): TrainBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string" },
      data: { type: "string" },
      python: { type: "string" },
      precision: { type: "string" },
      lengths: { type: "string", default: "512,1280" },
      threads: { type: "string" },
      only: { type: "string", default: PARTS.join(",") },
      "skip-compile": { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
    },
  });
  const data = values.data ?? environment["FLACUNA_DATA"];
  return {
    model: values.model === undefined ? undefined : resolve(values.model),
    data: data === undefined || data === "" ? undefined : resolve(data),
    python: values.python,
    precision: values.precision,
    shapes: values.lengths.split(",").map(parseShape),
    threads: values.threads === undefined ? undefined : positive("--threads", values.threads),
    compile: !values["skip-compile"],
    isQuick: values.quick,
    parts: new Set(values.only.split(",").map(parsePart)),
    amounts: values.quick ? QUICK : FULL,
  };
}

function parseShape(text: string): BatchShape {
  const parts = text.split("x").map((part) => positive("--lengths", part));
  const length = parts.at(-1)!;
  return {
    length,
    batchSize: parts.length > 1 ? parts[0]! : Math.max(1, Math.floor(TOKENS_PER_BATCH / length)),
  };
}

function parsePart(text: string): Part {
  const part = PARTS.find((each) => each === text);
  if (part === undefined) throw new Error(`--only: expected ${PARTS.join(", ")}, got "${text}"`);
  return part;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${option}: expected whole numbers from 1, got "${text}"`);
  return value;
}

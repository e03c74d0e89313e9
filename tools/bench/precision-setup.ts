// What all precisions are measured on: one checkpoint, one adapter, the same real instructions as micro-batches.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Adapter, createAdapter, type SupervisedBatch, toSupervisedBatch } from "@flacuna/lora";
import {
  type LlamaConfig,
  llamaParameterShapes,
  readCheckpoint,
  readGgufCheckpoint,
  readTokenizer,
} from "@flacuna/model";
import { deriveSeed, randomNormal, Tensor, type WeightSource } from "@flacuna/tensor";
import { readInstructions } from "./instructions.ts";
import { prepareModel } from "./model-folder.ts";
import type { PrecisionBenchOptions } from "./precision-options.ts";
import type { Row } from "./protocol.ts";
import { fullRows, tokenizeRows } from "./rows.ts";

const SEED = 20231;
const LORA = { rank: 8, alpha: 16, dropout: 0, targetModules: ["q_proj", "v_proj"] };

/** The paper's limit on the tokens of an example. */
const MAX_LENGTH = 1280;

/** About what a factor B grows to in a short fine-tuning. */
const B_DEVIATION = 0.01;

/** Real examples have no fewer tokens than this on average, answers and wrapping included. */
const MEAN_EXAMPLE_TOKENS = 100;

export interface PrecisionSetup {
  readonly config: LlamaConfig;
  readonly weights: WeightSource;
  /** The GGUF file that the weights are of, if they are of one. */
  readonly gguf: string | undefined;
  /** A new adapter, whose factors B are zero: where the fine-tuning begins. */
  readonly adapter: Adapter;
  /** One whose factors B are small random numbers, so that no gradient is zero. */
  readonly disturbedAdapter: Adapter;
  /** For the gradients. */
  readonly gradientBatches: readonly SupervisedBatch[];
  /** One for each optimiser step. */
  readonly trainingBatches: readonly SupervisedBatch[];
  readonly heldOutBatches: readonly SupervisedBatch[];
  readonly threads: number | undefined;
  readonly dataOrigin: string;
  readonly log: (line: string) => void;
}

/** Reads the checkpoint, and makes batches of the instructions; no example is in two parts. */
export async function preparePrecision(
  options: PrecisionBenchOptions,
  log: (line: string) => void,
): Promise<PrecisionSetup> {
  const folder = prepareModel(options.model, log);
  const gguf = (await readdir(folder)).find((name) => name.endsWith(".gguf"));
  const { config, weights } =
    gguf === undefined ? await readCheckpoint(folder) : await readGgufCheckpoint(join(folder, gguf));
  const { length, batchSize, gradientBatches, steps, heldOutBatches } = options.amounts;
  const rowCount = (gradientBatches + steps + heldOutBatches) * batchSize;
  const exampleCount = Math.ceil((rowCount * length) / MEAN_EXAMPLE_TOKENS);
  const { examples, origin } = await readInstructions(options.data, exampleCount, SEED);
  const tokenized = await tokenizeRows(examples, await readTokenizer(folder), MAX_LENGTH);
  const rows = fullRows(tokenized, length, rowCount);
  const batches = Array.from({ length: rowCount / batchSize }, (_, index) =>
    toBatch(rows.slice(index * batchSize, (index + 1) * batchSize), length),
  );
  const adapter = createAdapter(llamaParameterShapes(config), LORA, { seed: SEED });
  return {
    config,
    weights,
    gguf,
    adapter,
    disturbedAdapter: disturb(adapter),
    gradientBatches: batches.slice(0, gradientBatches),
    trainingBatches: batches.slice(gradientBatches, gradientBatches + steps),
    heldOutBatches: batches.slice(gradientBatches + steps),
    threads: options.threads,
    dataOrigin: origin,
    log,
  };
}

function toBatch(rows: readonly Row[], length: number): SupervisedBatch {
  const flat = (values: (row: Row) => readonly number[]) =>
    BigInt64Array.from(rows.flatMap(values), (value) => BigInt(value));
  return toSupervisedBatch({
    inputIds: flat(({ inputIds }) => inputIds),
    labels: flat(({ labels }) => labels),
    batchSize: rows.length,
    sequenceLength: length,
  });
}

function disturb({ config, tensors }: Adapter): Adapter {
  const disturbed = Object.entries(tensors).map(([module, { A, B }]) => {
    const size = B.shape.reduce((product, each) => product * each, 1);
    const noise = randomNormal(deriveSeed(SEED, module), size).map((value) => B_DEVIATION * value);
    return [module, { A, B: Tensor.fromArray("float32", B.shape, noise) }] as const;
  });
  return { config, tensors: Object.fromEntries(disturbed) };
}

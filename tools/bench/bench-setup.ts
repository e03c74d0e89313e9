// What all parts of the training benchmark share: tokenized instructions, the adapter both sides begin with, the peer.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createAdapter, writeAdapter } from "@flacuna/lora";
import { type LlamaConfig, llamaParameterShapes, readCheckpoint, readTokenizer } from "@flacuna/model";
import { readInstructions } from "./instructions.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { prepareModel } from "./model-folder.ts";
import type { TrainBenchOptions } from "./options.ts";
import { preparePython } from "./peer-environment.ts";
import type { PeerSettings, Row, Training } from "./protocol.ts";
import { padTokenOf, tokenizeRows } from "./rows.ts";
import { withScratchFolder } from "./scratch-folder.ts";
import { startOurs, startPeer, type Worker } from "./worker.ts";

/** The paper's limit on the tokens of a row. */
const MAX_LENGTH = 1280;

/** Examples that the rows of one length are cut from. */
const FULL_ROW_EXAMPLES = 600;

const SEED = 20231;

export interface BenchSetup {
  /** as it was before the benchmark began */
  readonly machine: Machine;
  readonly options: TrainBenchOptions;
  readonly config: LlamaConfig;
  readonly training: Training;
  readonly padTokenId: number;
  /** examples of mixed length, for the part on real data */
  readonly mixedRows: readonly Row[];
  /** other examples, to be cut into rows of one length */
  readonly fullRowSource: readonly Row[];
  readonly dataOrigin: string;
  readonly python: string;
  /** how ours computes where the peer is at its best */
  readonly precision: string;
  readonly precisions: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  readonly scratch: string;
  readonly log: (line: string) => void;
}

/** Makes what the parts need, calls `use`, and removes what is temporary. */
export async function withSetup<T>(
  options: TrainBenchOptions,
  use: (setup: BenchSetup) => Promise<T>,
): Promise<T> {
  return withScratchFolder(async (scratch) => use(await prepare(options, scratch)));
}

async function prepare(options: TrainBenchOptions, scratch: string): Promise<BenchSetup> {
  const machine = describeMachine();
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const model = prepareModel(options.model, log);
  const { config } = await readCheckpoint(model);
  const tokenizer = await readTokenizer(model);
  const { realExamples } = options.amounts;
  const instructions = await readInstructions(options.data, realExamples + FULL_ROW_EXAMPLES, SEED);
  if (options.data === undefined) log("no --data and no FLACUNA_DATA: the instructions are made up");
  const rows = await tokenizeRows(instructions.examples, tokenizer, MAX_LENGTH);
  const python = preparePython(options.python, log);
  const hellos = await Promise.all([startOurs(), startPeer(python)].map(helloOf));
  const precisions = hellos[0]!.precisions!;
  const adapter = join(scratch, "adapter");
  const lora = { rank: 8, alpha: 16, dropout: 0, targetModules: ["q_proj", "v_proj"] };
  await writeAdapter(adapter, createAdapter(llamaParameterShapes(config), lora, { seed: SEED }));
  return {
    machine,
    options,
    config,
    training: {
      model,
      adapter,
      learningRate: 2e-4,
      threads: options.threads ?? availableParallelism(),
    },
    padTokenId: padTokenOf(tokenizer),
    mixedRows: rows.slice(0, realExamples),
    fullRowSource: rows.slice(realExamples),
    dataOrigin: instructions.origin,
    python,
    precision: options.precision ?? (precisions.includes("int8") ? "int8" : "float32"),
    precisions,
    versions: { ...hellos[0]!.versions, ...hellos[1]!.versions },
    scratch,
    log,
  };
}

async function helloOf(starting: Promise<Worker>) {
  const worker = await starting;
  await worker.stop();
  return worker.hello;
}

/** Starts our worker and loads it. */
export async function loadOurs({ training }: BenchSetup, precision: string): Promise<Worker> {
  const worker = await startOurs();
  await worker.load(training, { precision });
  return worker;
}

/** Starts the peer's worker and loads it. */
export async function loadPeer({ training, python }: BenchSetup, settings: PeerSettings): Promise<Worker> {
  const worker = await startPeer(python);
  await worker.load(training, settings);
  return worker;
}

// What all parts of the generation benchmark share: the model in every form, prompts, and llama.cpp ready to run.
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { type LlamaConfig, readCheckpoint, readTokenizer } from "@flacuna/model";
import { prepareLlamaCpp } from "../llama-cpp/build.ts";
import { findGguf, type GgufFormat, prepareGguf } from "../llama-cpp/gguf-formats.ts";
import { prepareNodeLlamaCpp } from "../llama-cpp/node-llama-cpp.ts";
import { describeMachine, type Machine } from "../machine.ts";
import { prepareModel } from "../model-folder.ts";
import { withScratchFolder } from "../scratch-folder.ts";
import { Worker } from "../worker.ts";
import type { Bits, GenerateBenchOptions } from "./options.ts";
import { type PromptSource, readPromptSource } from "./prompt-source.ts";
import type { LoadOurs } from "./protocol.ts";
import type { LlamaPrograms } from "./sides.ts";

const OURS = fileURLToPath(new URL("ours-worker.ts", import.meta.url));

/** What ours is compared with, by the width of the weights. */
export const FORMATS: Readonly<Record<Bits, readonly GgufFormat[]>> = {
  "8": ["q8_0"],
  "4": ["q4_1", "q4_0"],
};
export const PRECISIONS = { "8": "int8", "4": "int4" } as const;

export interface GenerateSetup {
  /** as it was before the benchmark began */
  readonly machine: Machine;
  readonly options: GenerateBenchOptions;
  /** a checkpoint's folder */
  readonly model: string;
  /** the same model as llama.cpp reads it */
  readonly gguf: string;
  readonly config: LlamaConfig;
  readonly threads: number;
  readonly programs: LlamaPrograms;
  readonly prompts: PromptSource;
  readonly versions: Readonly<Record<string, string>>;
  readonly scratch: string;
  readonly log: (line: string) => void;
}

/** Our side in a process of its own. */
export const startOurs = (): Promise<Worker> => Worker.start(process.execPath, [...process.execArgv, OURS]);

/** How ours is loaded: at 4 bits from the blocks of the GGUF file, which rounding again would spoil. */
export function loadOurs(
  { model, gguf, threads }: Pick<GenerateSetup, "model" | "gguf" | "threads">,
  precision: LoadOurs["precision"],
  sequences: number,
  cacheTokens?: number,
): LoadOurs {
  const path = precision === "int4" ? gguf : model;
  return { command: "load", model: path, precision, threads, sequences, cacheTokens };
}

/** Makes what the parts need, calls `use`, and removes what is temporary. */
export async function withGenerateSetup<T>(
  options: GenerateBenchOptions,
  use: (setup: GenerateSetup) => Promise<T>,
): Promise<T> {
  return withScratchFolder(async (scratch) => use(await prepare(options, scratch)));
}

async function prepare(options: GenerateBenchOptions, scratch: string): Promise<GenerateSetup> {
  const machine = describeMachine();
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const model = prepareModel(options.model, log);
  const gguf = await findGguf(model, options.gguf);
  const { config } = await readCheckpoint(model);
  const prompts = await readPromptSource(options.data, await readTokenizer(model));
  const tools = await prepareLlamaCpp(gguf, log);
  const paths = new Map<GgufFormat, string>();
  for (const format of Object.values(FORMATS).flat())
    paths.set(format, await prepareGguf(gguf, format, tools.programs["llama-quantize"], log));
  const startNode = await prepareNodeLlamaCpp(log);
  const versions = await versionsOf([startOurs, startNode]);
  return {
    machine,
    options,
    model,
    gguf,
    config,
    threads: options.threads ?? availableParallelism(),
    programs: { tools, startNode, gguf: (format) => paths.get(format)! },
    prompts,
    versions: { ...versions, "llama.cpp": tools.version },
    scratch,
    log,
  };
}

async function versionsOf(starts: readonly (() => Promise<Worker>)[]): Promise<Record<string, string>> {
  const versions: Record<string, string> = {};
  for (const start of starts) {
    const worker = await start();
    Object.assign(versions, worker.hello.versions);
    await worker.stop();
  }
  return versions;
}

// The sides of a comparison: a worker that stays loaded, or a program of llama.cpp that is started for every turn.
import type { LlamaCpp } from "../llama-cpp/build.ts";
import type { GgufFormat } from "../llama-cpp/gguf-formats.ts";
import { measureWithTools } from "../llama-cpp/measure-with-tools.ts";
import type { Worker } from "../worker.ts";
import type { GenerateAnswer, LlamaSettings, LoadLlama } from "./protocol.ts";
import type { Side } from "./take-turns.ts";
import { fromArrivals, type Workload } from "./workload.ts";

/** What runs llama.cpp: the prebuilt library under Node.js, or the project's own benchmarks. */
export type LlamaProgram = "node-llama-cpp" | "llama.cpp";

/** Who runs, in which format and how. */
export interface Contender {
  readonly program: LlamaProgram;
  readonly format: GgufFormat;
  readonly settings: LlamaSettings;
}

/** What is needed to run llama.cpp. */
export interface LlamaPrograms {
  readonly tools: LlamaCpp;
  readonly startNode: () => Promise<Worker>;
  /** The GGUF file in a format. */
  readonly gguf: (format: GgufFormat) => string;
}

/** A contender ready for its turns. */
export function openContender(
  programs: LlamaPrograms,
  contender: Contender,
  workload: Workload,
): Promise<Side> {
  return contender.program === "llama.cpp"
    ? Promise.resolve(toolSide(programs, contender, workload))
    : nodeSide(programs, contender, workload);
}

/** Its benchmarks are processes that warm up and end with each turn, and choose their tokens themselves. */
function toolSide({ tools, gguf }: LlamaPrograms, contender: Contender, workload: Workload): Side {
  const { program, format, settings } = contender;
  let peak: number | undefined;
  return {
    name: `${program} ${format}`,
    warmUp: () => Promise.resolve(),
    async measure() {
      const { peakBytes, ...measured } = await measureWithTools(tools, gguf(format), settings, workload);
      peak = Math.max(peak ?? 0, peakBytes ?? 0) || undefined;
      return measured;
    },
    peakBytes: () => peak,
    processorSeconds: () => 0,
    stop: () => Promise.resolve(),
  };
}

async function nodeSide(
  { startNode, gguf }: LlamaPrograms,
  { program, format, settings }: Contender,
  workload: Workload,
): Promise<Side> {
  const { sequences, promptTokens, newTokens } = workload;
  const contextSize = promptTokens + newTokens;
  const load: LoadLlama = { command: "load", model: gguf(format), ...settings, sequences, contextSize };
  return openWorker(`${program} ${format}`, await startNode(), load, workload);
}

/** Generations after which JavaScript engines have compiled what a step runs. */
const WARM_UP_GENERATIONS = 4;

/** A worker that obeys `load` now and `generate` in its turns. */
export async function openWorker(
  name: string,
  worker: Worker,
  load: { readonly command: "load" },
  workload: Workload,
): Promise<Side> {
  try {
    await worker.ask(load);
  } catch (error) {
    await worker.stop();
    throw error;
  }
  const { newTokens } = workload;
  const generate = async (prompts: readonly (readonly number[])[]) =>
    (await worker.ask({ command: "generate", prompts, newTokens })) as GenerateAnswer;
  return {
    name,
    async warmUp(prompts) {
      await generate(prompts);
      for (let i = 0; i < WARM_UP_GENERATIONS; i++) await generate(prompts.slice(0, 1));
    },
    measure: async (prompts) => fromArrivals(workload, (await generate(prompts)).arrivals),
    peakBytes: () => worker.peakBytes(),
    processorSeconds: () => worker.processorSeconds(),
    stop: () => worker.stop(),
  };
}

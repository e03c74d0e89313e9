// node-llama-cpp in a process of its own: obeys `load` and `generate` of ../generate/protocol.ts. The folder that holds
// the package is the argument; it is none of our dependencies, so what is used of it is declared here.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { answerCommands } from "../answer-commands.ts";
import { collectArrivals } from "../generate/collect-arrivals.ts";
import type { Generate, GenerateAnswer, LoadLlama } from "../generate/protocol.ts";

interface Sequence {
  evaluate(tokens: number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>;
  clearHistory(): Promise<void>;
}

interface Context {
  getSequence(): Sequence;
  dispose(): Promise<void>;
}

interface Model {
  createContext(options: Readonly<Record<string, unknown>>): Promise<Context>;
  dispose(): Promise<void>;
}

interface Llama {
  readonly llamaCppRelease: { readonly release: string };
  readonly systemInfo: string;
  loadModel(options: { modelPath: string; gpuLayers: number }): Promise<Model>;
}

interface NodeLlamaCpp {
  getLlama(options: Readonly<Record<string, unknown>>): Promise<Llama>;
}

const home = join(process.argv[2]!, "node_modules/node-llama-cpp");
const { getLlama } = (await import(pathToFileURL(join(home, "dist/index.js")).href)) as NodeLlamaCpp;
const { version } = JSON.parse(await readFile(join(home, "package.json"), "utf8")) as { version: string };
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  maxThreads: 0,
  logLevel: "error",
  logger: (_level: string, message: string) => void process.stderr.write(message),
});

let loaded: { readonly path: string; readonly model: Model } | undefined;
let context: Context | undefined;
let sequences: Sequence[] = [];

async function load(command: LoadLlama): Promise<object> {
  await context?.dispose();
  if (loaded?.path !== command.model) {
    await loaded?.model.dispose();
    const model = await llama.loadModel({ modelPath: command.model, gpuLayers: 0 });
    loaded = { path: command.model, model };
  }
  context = await loaded.model.createContext({
    sequences: command.sequences,
    contextSize: command.contextSize,
    batchSize: command.batchSize,
    threads: command.threads,
    flashAttention: command.flashAttention,
    kvUnified: command.unifiedCache,
    ignoreMemorySafetyChecks: true,
  });
  sequences = Array.from({ length: command.sequences }, () => context!.getSequence());
  return {};
}

async function generate({ prompts, newTokens }: Generate): Promise<GenerateAnswer> {
  const used = sequences.slice(0, prompts.length);
  const streams = used.map((sequence, index) =>
    sequence.evaluate([...prompts[index]!], { temperature: 0, yieldEogToken: true }),
  );
  const arrivals = await collectArrivals(streams, newTokens);
  await Promise.all(used.map((sequence) => sequence.clearHistory()));
  return { arrivals };
}

const release = `${version} (llama.cpp ${llama.llamaCppRelease.release}, ${llama.systemInfo.trim()})`;
await answerCommands<LoadLlama | Generate>({ versions: { "node-llama-cpp": release } }, async (command) =>
  command.command === "load" ? load(command) : generate(command),
);

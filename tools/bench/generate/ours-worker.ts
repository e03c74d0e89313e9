// Our side of the benchmarks of generation and scoring, in a process of its own: obeys the commands of protocol.ts.
import { type LanguageModel, loadLanguageModel } from "@flacuna/model";
import { kernelStatus } from "@flacuna/tensor";
import { answerCommands } from "../answer-commands.ts";
import { collectArrivals } from "./collect-arrivals.ts";
import type { Generate, GenerateAnswer, LoadOurs, Score, ScoreAnswer } from "./protocol.ts";

let loaded: LanguageModel | undefined;

async function load({ model, precision, threads, sequences, cacheTokens }: LoadOurs): Promise<object> {
  await loaded?.dispose();
  const cache = cacheTokens === undefined ? {} : { cacheTokens };
  loaded = await loadLanguageModel(model, { precision, threads, maxConcurrent: sequences, ...cache });
  return {};
}

async function generate(model: LanguageModel, { prompts, newTokens }: Generate): Promise<GenerateAnswer> {
  const options = { maxNewTokens: newTokens, temperature: 0, eosTokenIds: [] };
  const streams = prompts.map((prompt) => model.generate(prompt, options));
  return { arrivals: await collectArrivals(streams, newTokens) };
}

async function score(model: LanguageModel, { requests }: Score): Promise<ScoreAnswer> {
  const started = performance.now();
  const scores = await model.loglikelihood(requests);
  const seconds = (performance.now() - started) / 1e3;
  return { seconds, logProbs: scores.map(({ logProbNats }) => logProbNats) };
}

const { path: kernels = "none" } = await kernelStatus();
await answerCommands<LoadOurs | Generate | Score>(
  { versions: { node: process.versions.node, "native kernels": kernels } },
  async (command) => {
    if (command.command === "load") return load(command);
    if (loaded === undefined) throw new Error("nothing is loaded");
    return command.command === "generate" ? generate(loaded, command) : score(loaded, command);
  },
);

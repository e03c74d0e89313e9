// Perplexity over the same pieces of text: ours in every precision, and llama.cpp in every format.
import type { LoglikelihoodRequest } from "@flacuna/model";
import { sum } from "../statistics.ts";
import { Worker } from "../worker.ts";
import type { LoadOurs, ScoreAnswer } from "./protocol.ts";
import { llamaScorerLoad } from "./scorer-load.ts";
import { FORMATS, type GenerateSetup, loadOurs, PRECISIONS, startOurs } from "./setup.ts";

/** Tokens of a piece; all but the first are predicted. */
const WINDOW = 512;

/** Perplexity by precision of ours or format of llama.cpp. */
export interface PerplexityResult {
  readonly tokens: number;
  readonly ours: Readonly<Partial<Record<LoadOurs["precision"], number>>>;
  readonly llamaCpp: Readonly<Record<string, number>>;
}

/** Measures every width of weights that is asked for, and float32. */
export async function measurePerplexity(setup: GenerateSetup): Promise<PerplexityResult> {
  const { options, programs, prompts, threads, log } = setup;
  const requests = prompts.take(options.windows, WINDOW).map((ids) => {
    return { contextIds: ids.slice(0, 1), continuationIds: ids.slice(1) };
  });
  const ours: Partial<Record<LoadOurs["precision"], number>> = {};
  for (const precision of ["float32", ...options.bits.map((bits) => PRECISIONS[bits])] as const) {
    log(`perplexity, ours in ${precision}`);
    ours[precision] = await perplexityOf(await startOurs(), loadOurs(setup, precision, 8), requests);
  }
  const llamaCpp: Record<string, number> = {};
  for (const format of options.bits.flatMap((bits) => FORMATS[bits])) {
    log(`perplexity, llama.cpp in ${format}`);
    const worker = await Worker.start(programs.tools.programs["llama-score"], []);
    llamaCpp[format] = await perplexityOf(worker, llamaScorerLoad(programs.gguf(format), threads), requests);
  }
  return { tokens: options.windows * (WINDOW - 1), ours, llamaCpp };
}

async function perplexityOf(
  worker: Worker,
  load: { readonly command: "load" },
  requests: readonly LoglikelihoodRequest[],
): Promise<number> {
  try {
    await worker.ask(load);
    const { logProbs } = (await worker.ask({ command: "score", requests })) as ScoreAnswer;
    return Math.exp(-sum(logProbs) / sum(requests.map(({ continuationIds }) => continuationIds.length)));
  } finally {
    await worker.stop();
  }
}

// Which of the peer's settings are its best on this machine: a short trial of each.
import type { BenchSetup } from "./bench-setup.ts";
import type { BatchShape } from "./options.ts";
import type { Batch, PeerSettings } from "./protocol.ts";
import { batchesOf, fullRows } from "./rows.ts";
import { median } from "./statistics.ts";
import { startPeer } from "./worker.ts";

/** A setting and how fast it was; no tokens per second when it failed. */
export interface Trial {
  readonly settings: PeerSettings;
  readonly tokensPerSecond: number | undefined;
}

const CANDIDATES: readonly PeerSettings[] = [
  { dtype: "bfloat16", attention: "sdpa", adapterDtype: "float32", compile: false },
  { dtype: "float32", attention: "sdpa", adapterDtype: "float32", compile: false },
  { dtype: "bfloat16", attention: "eager", adapterDtype: "float32", compile: false },
  { dtype: "float32", attention: "eager", adapterDtype: "float32", compile: false },
  { dtype: "bfloat16", attention: "sdpa", adapterDtype: "bfloat16", compile: false },
];

/** In a quick run only the first ones are tried. */
const QUICK_CANDIDATES = 2;

export const describeSettings = ({ dtype, attention, adapterDtype, compile }: PeerSettings): string =>
  `${dtype}, ${attention}, adapter ${adapterDtype}${compile ? ", compiled" : ""}`;

/** Micro-batches of one shape, from the same examples every time. */
export function shapedBatches(setup: BenchSetup, { batchSize, length }: BatchShape, count: number): Batch[] {
  const rows = fullRows(setup.fullRowSource, length, batchSize * count);
  return batchesOf(rows, batchSize, setup.padTokenId);
}

/** All trials, in one process, best first. */
export async function tryPeer(setup: BenchSetup, shape: BatchShape): Promise<Trial[]> {
  const { options, training, log } = setup;
  const batches = shapedBatches(setup, shape, 1 + options.amounts.trialSteps);
  const worker = await startPeer(setup.python);
  const trials: Trial[] = [];
  for (const settings of options.isQuick ? CANDIDATES.slice(0, QUICK_CANDIDATES) : CANDIDATES) {
    try {
      await worker.load(training, settings);
      const { seconds } = await worker.train(batches);
      const tokensPerSecond = (shape.batchSize * shape.length) / median(seconds.slice(1));
      trials.push({ settings, tokensPerSecond });
      log(`trial of the peer, ${describeSettings(settings)}: ${tokensPerSecond.toFixed(0)} tokens/s`);
    } catch (error) {
      trials.push({ settings, tokensPerSecond: undefined });
      log(`trial of the peer, ${describeSettings(settings)}: ${(error as Error).message}`);
    }
  }
  await worker.stop();
  return trials.sort((a, b) => (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0));
}

// Examples per second over the same real examples of mixed length, each side in the way that suits it best.
import { alternate } from "./alternate.ts";
import { type BenchSetup, loadOurs, loadPeer } from "./bench-setup.ts";
import type { Batch, PeerSettings, Row } from "./protocol.ts";
import { lengthGrouped, tokenCount } from "./rows.ts";
import { sum } from "./statistics.ts";
import type { Worker } from "./worker.ts";

/** Rows in a micro-batch that the peer is tried with. */
const PEER_BATCH_SIZES = [4, 8, 16] as const;

/** Turns of each side over all its micro-batches. */
const TURNS = 5;

export interface RealDataResult {
  readonly examples: number;
  readonly tokens: number;
  readonly oursPerSecond: number;
  readonly peerPerSecond: number;
  readonly oursLayout: string;
  readonly peerBatchSize: number;
}

/** Measures one pass over the examples, by turns. */
export async function measureRealData(setup: BenchSetup, settings: PeerSettings): Promise<RealDataResult> {
  const { mixedRows, padTokenId, log } = setup;
  log(`real data: ${mixedRows.length} examples`);
  const peer = await loadPeer(setup, settings);
  const workers = [peer];
  try {
    const peerBatchSize = await bestBatchSize(setup, peer);
    const ours = await loadOurs(setup, setup.precision);
    workers.push(ours);
    const peerBatches = lengthGrouped(mixedRows, peerBatchSize, padTokenId);
    const layout = layOutOurs(mixedRows, padTokenId);
    await ours.train(layout.batches.slice(0, 1));
    const [oursResult, peerResult] = await alternate(
      [
        { name: "ours", worker: ours, turns: dealOut(layout.batches, TURNS) },
        { name: "peer", worker: peer, turns: dealOut(peerBatches, TURNS) },
      ],
      log,
    );
    return {
      examples: mixedRows.length,
      tokens: tokenCount(peerBatches),
      oursPerSecond: mixedRows.length / sum(oursResult!.seconds),
      peerPerSecond: mixedRows.length / sum(peerResult!.seconds),
      oursLayout: layout.name,
      peerBatchSize,
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

/** The batch size with the most examples per second, on every so many-th example; also warms the worker up. */
async function bestBatchSize(setup: BenchSetup, worker: Worker): Promise<number> {
  const { mixedRows, padTokenId, options, log } = setup;
  const sorted = [...mixedRows].sort((a, b) => a.inputIds.length - b.inputIds.length);
  const every = Math.max(1, Math.floor(sorted.length / options.amounts.realTrialExamples));
  const sample = sorted.filter((_, index) => index % every === 0);
  await worker.train(lengthGrouped(sample.slice(0, 4), 4, padTokenId));
  let best: { readonly size: number; readonly rate: number } | undefined;
  for (const size of PEER_BATCH_SIZES) {
    const { seconds } = await worker.train(lengthGrouped(sample, size, padTokenId));
    const rate = sample.length / sum(seconds);
    log(`trial of the peer's batch size ${size}: ${rate.toFixed(2)} examples/s`);
    if (best === undefined || rate > best.rate) best = { size, rate };
  }
  return best!.size;
}

function layOutOurs(rows: readonly Row[], padTokenId: number): { name: string; batches: Batch[] } {
  return { name: "grouped by length, 4 rows", batches: lengthGrouped(rows, 4, padTokenId) };
}

/** Micro-batches in `turns` hands as alike as can be, whatever they are sorted by. */
function dealOut(batches: readonly Batch[], turns: number): Batch[][] {
  return Array.from({ length: turns }, (_, turn) => batches.filter((_, index) => index % turns === turn));
}

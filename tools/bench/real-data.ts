// Examples per second over the same real examples of mixed length, each side in the way that suits it best.
import { alternate } from "./alternate.ts";
import { type BenchSetup, loadOurs, loadPeer } from "./bench-setup.ts";
import type { Batch, PeerSettings, Row } from "./protocol.ts";
import { lengthGrouped, packed, tokenCount } from "./rows.ts";
import { sum } from "./statistics.ts";
import type { Worker } from "./worker.ts";

/** A way to make micro-batches of rows of mixed length. */
interface Layout {
  readonly name: string;
  readonly batches: (rows: readonly Row[], padTokenId: number) => Batch[];
}

/** What the peer is tried with: grouped by length and padded to the longest, as its Trainer does at its best. */
const PEER_LAYOUTS: readonly Layout[] = [1, 2, 4].map((batchSize) => ({
  name: `grouped by length, ${batchSize} rows`,
  batches: (rows, padTokenId) => lengthGrouped(rows, batchSize, padTokenId),
}));

/** What ours is tried with. */
const OUR_LAYOUTS: readonly Layout[] = [1280, 2560].map((capacity) => ({
  name: `packed to ${capacity} tokens`,
  batches: (rows, padTokenId) => packed(rows, capacity, padTokenId),
}));

/** Turns of each side over all its micro-batches. */
const TURNS = 5;

export interface RealDataResult {
  readonly examples: number;
  readonly tokens: number;
  readonly ours: RealDataSide;
  readonly peer: RealDataSide;
}

export interface RealDataSide {
  readonly layout: string;
  readonly examplesPerSecond: number;
  readonly peakBytes: number | undefined;
}

/** Measures one pass over the examples, by turns. */
export async function measureRealData(setup: BenchSetup, settings: PeerSettings): Promise<RealDataResult> {
  const { mixedRows, padTokenId, precision, log } = setup;
  log(`real data: ${mixedRows.length} examples`);
  const workers: Worker[] = [];
  try {
    workers.push(await loadOurs(setup, precision));
    workers.push(await loadPeer(setup, settings));
    const [ours, peer] = workers as [Worker, Worker];
    const layouts = [await bestLayout(setup, ours, OUR_LAYOUTS), await bestLayout(setup, peer, PEER_LAYOUTS)];
    const batches = layouts.map((layout) => layout.batches(mixedRows, padTokenId));
    const results = await alternate(
      [
        { name: "ours", worker: ours, turns: dealOut(batches[0]!, TURNS) },
        { name: "peer", worker: peer, turns: dealOut(batches[1]!, TURNS) },
      ],
      log,
    );
    const sides = results.map(({ seconds, peakBytes }, index) => ({
      layout: layouts[index]!.name,
      examplesPerSecond: mixedRows.length / sum(seconds),
      peakBytes,
    }));
    const tokens = tokenCount(batches[1]!);
    return { examples: mixedRows.length, tokens, ours: sides[0]!, peer: sides[1]! };
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

/** The layout with the most examples per second, on every so many-th example by length. */
async function bestLayout(setup: BenchSetup, worker: Worker, layouts: readonly Layout[]): Promise<Layout> {
  const { mixedRows, padTokenId, options, log } = setup;
  const sorted = [...mixedRows].sort((a, b) => a.inputIds.length - b.inputIds.length);
  const every = Math.max(1, Math.floor(sorted.length / options.amounts.realTrialExamples));
  const sample = sorted.filter((_, index) => index % every === 0);
  await worker.train(layouts[0]!.batches(sample.slice(-4), padTokenId));
  const rates: number[] = [];
  for (const { name, batches } of layouts) {
    const { seconds } = await worker.train(batches(sample, padTokenId));
    rates.push(sample.length / sum(seconds));
    log(`trial, ${name}: ${rates.at(-1)!.toFixed(2)} examples/s`);
  }
  return layouts[rates.indexOf(Math.max(...rates))]!;
}

/** Micro-batches in `turns` hands as alike as can be, whatever they are sorted by. */
function dealOut(batches: readonly Batch[], turns: number): Batch[][] {
  return Array.from({ length: turns }, (_, turn) => batches.filter((_, index) => index % turns === turn));
}

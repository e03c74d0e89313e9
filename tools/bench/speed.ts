// Tokens per second and peak memory at one shape: ours, the peer at its best, the peer compiled, by turns.
import { alternate, type SideResult } from "./alternate.ts";
import { type BenchSetup, loadOurs, loadPeer } from "./bench-setup.ts";
import type { BatchShape } from "./options.ts";
import { describeSettings, shapedBatches, type Trial, tryPeer } from "./peer-trials.ts";
import type { Batch, PeerSettings } from "./protocol.ts";
import { median } from "./statistics.ts";
import type { Worker } from "./worker.ts";

/** Steps before the first turn: allocation, thread start-up, compilation. */
const WARM_UP_STEPS = 2;

/** What one side reached. */
export interface Speed {
  readonly tokensPerSecond: number;
  readonly secondsPerStep: readonly number[];
  readonly peakBytes: number | undefined;
  readonly othersBusy: number;
  /** of the warm-up, which holds the compilation */
  readonly warmUpSeconds: number;
}

export interface SpeedResult {
  readonly shape: BatchShape;
  readonly trials: readonly Trial[];
  readonly best: PeerSettings;
  readonly ours: Speed;
  readonly peer: Speed;
  /** absent when left out or when it failed */
  readonly compiled?: Speed;
}

/** Measures one shape; every side in a fresh process. */
export async function measureSpeed(
  setup: BenchSetup,
  shape: BatchShape,
  amounts: { readonly rounds: number; readonly compile: boolean },
): Promise<SpeedResult> {
  const { log, options } = setup;
  const { stepsPerRound } = options.amounts;
  log(`speed and memory at ${shape.batchSize}x${shape.length}`);
  const trials = await tryPeer(setup, shape);
  const best = trials[0]!.settings;
  if (trials[0]!.tokensPerSecond === undefined) throw new Error("no setting of the peer works");
  const batches = shapedBatches(setup, shape, WARM_UP_STEPS + amounts.rounds * stepsPerRound);
  const sides: Loaded[] = [];
  try {
    sides.push(await warmUp("ours", await loadOurs(setup, setup.precision), batches, log));
    sides.push(await warmUp("peer", await loadPeer(setup, best), batches, log));
    if (amounts.compile) sides.push(...(await warmUpCompiled(setup, best, batches)));
    const turns = Array.from({ length: amounts.rounds }, (_, round) =>
      batches.slice(WARM_UP_STEPS + round * stepsPerRound, WARM_UP_STEPS + (round + 1) * stepsPerRound),
    );
    const results = await alternate(
      sides.map((side) => ({ ...side, turns })),
      log,
    );
    const speeds = results.map((result, index) => toSpeed(result, shape, sides[index]!.warmUpSeconds));
    const [ours, peer, compiled] = speeds as [Speed, Speed, Speed?];
    return { shape, trials, best, ours, peer, ...(compiled !== undefined && { compiled }) };
  } finally {
    await Promise.all(sides.map(({ worker }) => worker.stop()));
  }
}

interface Loaded {
  readonly name: string;
  readonly worker: Worker;
  readonly warmUpSeconds: number;
}

async function warmUp(
  name: string,
  worker: Worker,
  batches: readonly Batch[],
  log: (line: string) => void,
): Promise<Loaded> {
  const started = performance.now();
  try {
    await worker.train(batches.slice(0, WARM_UP_STEPS));
  } catch (error) {
    await worker.stop();
    throw error;
  }
  const warmUpSeconds = (performance.now() - started) / 1e3;
  log(`${name}: warm-up of ${WARM_UP_STEPS} steps in ${warmUpSeconds.toFixed(1)} s`);
  return { name, worker, warmUpSeconds };
}

/** A peer that cannot compile here is reported and left out: its other settings still count. */
async function warmUpCompiled(
  setup: BenchSetup,
  best: PeerSettings,
  batches: readonly Batch[],
): Promise<Loaded[]> {
  const settings = { ...best, compile: true };
  try {
    return [await warmUp("peer compiled", await loadPeer(setup, settings), batches, setup.log)];
  } catch (error) {
    setup.log(`peer, ${describeSettings(settings)}: ${(error as Error).message}`);
    return [];
  }
}

function toSpeed(result: SideResult, { batchSize, length }: BatchShape, warmUpSeconds: number): Speed {
  return {
    tokensPerSecond: (batchSize * length) / median(result.seconds),
    secondsPerStep: result.seconds,
    peakBytes: result.peakBytes,
    othersBusy: result.othersBusy,
    warmUpSeconds,
  };
}

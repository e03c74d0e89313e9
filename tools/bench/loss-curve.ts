// Loss curves from the same adapter and micro-batches: how far ours is from PyTorch in float32.
import { type BenchSetup, loadOurs, loadPeer } from "./bench-setup.ts";
import { shapedBatches } from "./peer-trials.ts";
import type { PeerSettings } from "./protocol.ts";
import { relativeDifferences, sum } from "./statistics.ts";
import type { Worker } from "./worker.ts";

/** One row: a step is as short as the precision allows to be told. */
const SHAPE = { batchSize: 1, length: 512 };

const REFERENCE: PeerSettings = {
  dtype: "float32",
  attention: "sdpa",
  adapterDtype: "float32",
  compile: false,
};

/** A curve and its distance from the reference's. */
export interface Curve {
  readonly name: string;
  readonly losses: readonly number[];
  readonly maxRelative: number;
  readonly meanRelative: number;
}

/** Every precision of ours that is asked for, and the peer in bfloat16, against the peer in float32 (first). */
export async function measureCurves(setup: BenchSetup): Promise<Curve[]> {
  const { precisions, precision, options, log } = setup;
  const batches = shapedBatches(setup, SHAPE, options.amounts.curveSteps);
  const run = async (name: string, starting: Promise<Worker>) => {
    const worker = await starting;
    log(`loss curve: ${name}`);
    try {
      return { name, losses: (await worker.train(batches)).losses };
    } finally {
      await worker.stop();
    }
  };
  const reference = await run("peer float32", loadPeer(setup, REFERENCE));
  const curves = [reference];
  const ours = new Set(["float32", precision, "int8"].filter((each) => precisions.includes(each)));
  for (const each of ours) curves.push(await run(each, loadOurs(setup, each)));
  if (!options.isQuick)
    curves.push(await run("peer bfloat16", loadPeer(setup, { ...REFERENCE, dtype: "bfloat16" })));
  return curves.map(({ name, losses }) => {
    const differences = relativeDifferences(losses, reference.losses);
    const meanRelative = sum(differences) / differences.length;
    return { name, losses, maxRelative: Math.max(...differences), meanRelative };
  });
}

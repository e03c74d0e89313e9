// Loss curves from the same adapter and micro-batches: how far ours is from PyTorch in float32.
import { type BenchSetup, loadOurs, loadPeer } from "./bench-setup.ts";
import { shapedBatches } from "./peer-trials.ts";
import type { PeerSettings } from "./protocol.ts";
import { mean, relativeDifferences } from "./statistics.ts";
import type { Worker } from "./worker.ts";

/** Steps of the peer's own bfloat16, for comparison: enough to see how far 16 bits are from 32. */
const BFLOAT16_STEPS = 15;

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
  /** of single steps */
  readonly maxRelative: number;
  readonly meanRelative: number;
  /** of the means over all steps */
  readonly relativeOfMeans: number;
}

/** Every precision of ours that is asked for, and the peer in bfloat16, against the peer in float32 (first); at the first shape. */
export async function measureCurves(setup: BenchSetup): Promise<Curve[]> {
  const { precisions, precision, options, log } = setup;
  const batches = shapedBatches(setup, options.shapes[0]!, options.amounts.curveSteps);
  const run = async (name: string, starting: Promise<Worker>, steps = batches.length) => {
    const worker = await starting;
    log(`loss curve: ${name}`);
    try {
      return { name, losses: (await worker.train(batches.slice(0, steps))).losses };
    } finally {
      await worker.stop();
    }
  };
  const reference = await run("peer float32", loadPeer(setup, REFERENCE));
  const curves = [reference];
  const ours = new Set(["float32", precision, "int8"].filter((each) => precisions.includes(each)));
  for (const each of ours) curves.push(await run(each, loadOurs(setup, each)));
  if (!options.isQuick) {
    const bfloat16 = loadPeer(setup, { ...REFERENCE, dtype: "bfloat16" });
    curves.push(await run("peer bfloat16", bfloat16, BFLOAT16_STEPS));
  }
  return curves.map(({ name, losses }) => {
    const expected = reference.losses.slice(0, losses.length);
    const differences = relativeDifferences(losses, expected);
    return {
      name,
      losses,
      maxRelative: Math.max(...differences),
      meanRelative: mean(differences),
      relativeOfMeans: relativeDifferences([mean(losses)], [mean(expected)])[0]!,
    };
  });
}

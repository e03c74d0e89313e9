// Several workers by turns, so that whatever else the machine does falls on all of them alike.
import type { Batch } from "./protocol.ts";
import type { Worker } from "./worker.ts";

/** One side of a comparison: a loaded worker, and what it trains on in each of its turns. */
export interface Side {
  readonly name: string;
  readonly worker: Worker;
  readonly turns: readonly (readonly Batch[])[];
}

/** What one side did in all its turns. */
export interface SideResult {
  /** of every optimiser step */
  readonly seconds: readonly number[];
  readonly losses: readonly number[];
  /** most processor time that the sides waiting took in one of its turns, as a share of one core */
  readonly othersBusy: number;
  readonly peakBytes: number | undefined;
}

/** Every side's first turn, then every side's second, and so on; results in the order of the sides. */
export async function alternate(sides: readonly Side[], log: (line: string) => void): Promise<SideResult[]> {
  const turns = Math.max(...sides.map((side) => side.turns.length));
  const records = sides.map(() => ({ seconds: [] as number[], losses: [] as number[], othersBusy: 0 }));
  for (let turn = 0; turn < turns; turn++) {
    for (const [index, side] of sides.entries()) {
      const batches = side.turns[turn] ?? [];
      if (batches.length === 0) continue;
      const others = sides.filter((other) => other !== side).map(({ worker }) => worker);
      const before = others.map((worker) => worker.processorSeconds());
      const started = performance.now();
      const { seconds, losses } = await side.worker.train(batches);
      const elapsed = (performance.now() - started) / 1e3;
      const record = records[index]!;
      const busy = others.map((worker, other) => (worker.processorSeconds() - before[other]!) / elapsed);
      record.othersBusy = Math.max(record.othersBusy, ...busy);
      record.seconds.push(...seconds);
      record.losses.push(...losses);
      log(
        `turn ${turn + 1} of ${turns}, ${side.name}: ${seconds.map((each) => each.toFixed(2)).join(" ")} s`,
      );
    }
  }
  return records.map((record, index) => ({ ...record, peakBytes: sides[index]!.worker.peakBytes() }));
}

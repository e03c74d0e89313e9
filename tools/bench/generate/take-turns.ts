// Several sides by turns, so that whatever else the machine does falls on all of them alike. Knows no engine.
import { median } from "../statistics.ts";
import type { Measured } from "./workload.ts";

/** One side of a comparison, loaded. */
export interface Side {
  readonly name: string;
  /** Whatever it takes to be as fast in the first turn as in later ones. */
  warmUp(prompts: readonly (readonly number[])[]): Promise<void>;
  /** One turn. */
  measure(prompts: readonly (readonly number[])[]): Promise<Measured>;
  /** The most resident memory so far, in bytes. */
  peakBytes(): number | undefined;
  /** Processor time used so far, in seconds. */
  processorSeconds(): number;
  stop(): Promise<void>;
}

/** What one side did in all its turns; medians. */
export interface SideResult extends Measured {
  readonly name: string;
  readonly peakBytes: number | undefined;
  /** tokens per second, turn by turn */
  readonly turns: readonly number[];
  /** most processor time that the waiting sides took in one of its turns, as a share of one core */
  readonly othersBusy: number;
}

/** All warm up; then every side's first turn, every side's second, and so on, all sides with the same prompts. */
export async function takeTurns(
  sides: readonly Side[],
  rounds: number,
  nextPrompts: () => readonly (readonly number[])[],
  log: (line: string) => void,
): Promise<SideResult[]> {
  const measured = sides.map(() => [] as Measured[]);
  const othersBusy = sides.map(() => 0);
  for (const side of sides) await side.warmUp(nextPrompts());
  for (let round = 0; round < rounds; round++) {
    const prompts = nextPrompts();
    for (const [index, side] of sides.entries()) {
      const busy = () => sides.map((other) => (other === side ? 0 : other.processorSeconds()));
      const [before, started] = [busy(), performance.now()];
      measured[index]!.push(await side.measure(prompts));
      const elapsed = (performance.now() - started) / 1e3;
      const shares = busy().map((seconds, other) => (seconds - before[other]!) / elapsed);
      othersBusy[index] = Math.max(othersBusy[index]!, ...shares);
    }
    const rates = sides.map(
      ({ name }, index) => `${name} ${measured[index]!.at(-1)!.tokensPerSecond.toFixed(0)}`,
    );
    log(`turn ${round + 1} of ${rounds}, tokens/s: ${rates.join(", ")}`);
  }
  return sides.map((side, index) => ({
    ...medians(measured[index]!),
    name: side.name,
    peakBytes: side.peakBytes(),
    turns: measured[index]!.map(({ tokensPerSecond }) => tokensPerSecond),
    othersBusy: othersBusy[index]!,
  }));
}

function medians(turns: readonly Measured[]): Measured {
  const first = turns.flatMap(({ firstTokenSeconds }) => firstTokenSeconds ?? []);
  const generated = turns.flatMap(({ generatedPerSecond }) => generatedPerSecond ?? []);
  return {
    tokensPerSecond: median(turns.map(({ tokensPerSecond }) => tokensPerSecond)),
    ...(first.length > 0 && { firstTokenSeconds: median(first) }),
    ...(generated.length > 0 && { generatedPerSecond: median(generated) }),
  };
}

// One workload at one width of weights: ours, and llama.cpp's programs and formats at their best, by turns.
import {
  bestRate,
  describeContender,
  HOPELESS,
  llamaCandidates,
  type Trial,
  tryContenders,
} from "./llama-trials.ts";
import type { Bits } from "./options.ts";
import { FORMATS, type GenerateSetup, loadOurs, PRECISIONS, startOurs } from "./setup.ts";
import { type Contender, openContender, openWorker } from "./sides.ts";
import { type Side, type SideResult, takeTurns } from "./take-turns.ts";
import type { Workload } from "./workload.ts";

/** The one that is usually faster first, so that trials of the other can end early. */
const PROGRAMS = ["llama.cpp", "node-llama-cpp"] as const;

/** A contender at its best, and what it did. */
export interface Theirs extends SideResult {
  readonly contender: Contender;
}

export interface Comparison {
  readonly workload: Workload;
  readonly bits: Bits;
  readonly ours: SideResult;
  /** fastest first */
  readonly theirs: readonly Theirs[];
  readonly trials: readonly Trial[];
}

/** Tries llama.cpp's settings, then lets everyone take turns. */
export async function compare(setup: GenerateSetup, workload: Workload, bits: Bits): Promise<Comparison> {
  const { programs, prompts, options, log } = setup;
  log(`${workload.name}, ${bits} bits`);
  const nextPrompts = () => prompts.take(workload.sequences, workload.promptTokens);
  const trials = await tryAll(setup, workload, bits, nextPrompts());
  const best = forTurns(workload, trials);
  if (best.length === 0) throw new Error(`${workload.name}, ${bits} bits: nothing of llama.cpp runs`);
  const sides: Side[] = [];
  try {
    const load = loadOurs(setup, PRECISIONS[bits], workload.sequences, cacheTokens(workload));
    sides.push(await openWorker("ours", await startOurs(), load, workload));
    for (const contender of best) sides.push(await openContender(programs, contender, workload));
    const [ours, ...theirs] = await takeTurns(sides, options.rounds, nextPrompts, log);
    return {
      workload,
      bits,
      ours: ours!,
      theirs: theirs
        .map((result, index) => ({
          ...result,
          contender: best[index]!,
          name: describeContender(best[index]!),
        }))
        .sort((a, b) => b.tokensPerSecond - a.tokensPerSecond),
      trials: trials.flat(),
    };
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
}

/** About what llama.cpp is given, too: whole pages of all sequences, and a few to spare. */
const cacheTokens = ({ sequences, promptTokens, newTokens }: Workload): number =>
  Math.ceil(1.25 * sequences * (promptTokens + newTokens)) + 64;

/** The trials of every program in every format, each best first. */
async function tryAll(
  { programs, options, threads, log }: GenerateSetup,
  workload: Workload,
  bits: Bits,
  prompts: readonly (readonly number[])[],
): Promise<Trial[][]> {
  const candidates = llamaCandidates(workload, threads, options.isQuick);
  const trials: Trial[][] = [];
  for (const format of FORMATS[bits]) {
    for (const program of PROGRAMS) {
      const contenders = candidates.map((settings) => ({ program, format, settings }));
      trials.push(await tryContenders(programs, contenders, workload, prompts, bestRate(trials.flat()), log));
    }
  }
  return trials;
}

/** The best setting of each program and format, unless it is far behind; of a prefill each, for its first token. */
function forTurns({ kind }: Workload, trials: readonly (readonly Trial[])[]): Trial[] {
  const least = kind === "prefill" ? 0 : HOPELESS * bestRate(trials.flat());
  return trials.flatMap(([first]) => ((first?.tokensPerSecond ?? 0) > least ? [first!] : []));
}

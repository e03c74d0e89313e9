// Which settings of llama.cpp are its best for a workload on this machine: a short trial of each.
import type { LlamaSettings } from "./protocol.ts";
import { type Contender, type LlamaPrograms, openContender } from "./sides.ts";
import type { Workload } from "./workload.ts";

/** A contender and how fast it was; no tokens per second when it failed. */
export interface Trial extends Contender {
  readonly tokensPerSecond: number | undefined;
}

/** What is this close to the best so far is run again, for one run says little, and the faster run counts. */
const CLOSE = 0.8;

/** What is slower than this share of the best of all is not measured further. */
export const HOPELESS = 0.7;

/** So many settings of a program show whether it is hopeless. */
const TELLING_SETTINGS = 3;

/** A trial has this part of the new tokens, and some at least. */
const TRIAL_SHARE = 4;
const LEAST_NEW_TOKENS = 16;

const BATCHES: Readonly<Record<Workload["kind"], readonly number[]>> = {
  prefill: [512, 256, 2048],
  decode: [512],
  throughput: [512, 2048],
};

export const describeContender = ({ program, format, settings }: Contender): string =>
  `${program} ${format}, ${describeLlamaSettings(settings)}`;

export function describeLlamaSettings(settings: LlamaSettings): string {
  const { threads, flashAttention, batchSize, unifiedCache } = settings;
  const attention = flashAttention ? "flash attention" : "no flash attention";
  return `${attention}, batch ${batchSize}, ${threads} threads${unifiedCache ? ", one cache" : ""}`;
}

/** The settings that are tried; half of the threads only once, for machines that count two threads a core. */
export function llamaCandidates({ kind }: Workload, threads: number, isQuick: boolean): LlamaSettings[] {
  const caches = kind === "throughput" ? [false, true] : [false];
  const all = [true, false].flatMap((flashAttention) =>
    BATCHES[kind].flatMap((batchSize) =>
      caches.map((unifiedCache) => ({ threads, flashAttention, batchSize, unifiedCache })),
    ),
  );
  if (isQuick) return all.slice(0, 1);
  return threads > 1 ? [...all, { ...all[0]!, threads: threads >> 1 }] : all;
}

/**
 * Trials of one program in one format, best first.
 *
 * @param fastest tokens per second of the best so far of other programs and formats; 0 when this is the first
 */
export async function tryContenders(
  programs: LlamaPrograms,
  contenders: readonly Contender[],
  workload: Workload,
  prompts: readonly (readonly number[])[],
  fastest: number,
  log: (line: string) => void,
): Promise<Trial[]> {
  const share = Math.max(LEAST_NEW_TOKENS, Math.ceil(workload.newTokens / TRIAL_SHARE));
  const shorter = { ...workload, newTokens: Math.min(workload.newTokens, share) };
  const trials: Trial[] = [];
  for (const contender of contenders) {
    const best = bestRate(trials);
    if (trials.length >= TELLING_SETTINGS && best < HOPELESS * fastest) {
      log(`${contender.program} ${contender.format}: no more trials, too far from the best`);
      break;
    }
    const tokensPerSecond = await tryOne(programs, contender, shorter, prompts, CLOSE * best).catch(
      (error: Error) => {
        log(error.message);
        return undefined;
      },
    );
    trials.push({ ...contender, tokensPerSecond });
    log(`trial, ${describeContender(contender)}: ${tokensPerSecond?.toFixed(0) ?? "failed"} tokens/s`);
  }
  return trials.sort((a, b) => (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0));
}

/** Tokens per second of the best of `trials`; 0 when none worked. */
export const bestRate = (trials: readonly Trial[]): number =>
  Math.max(0, ...trials.map(({ tokensPerSecond }) => tokensPerSecond ?? 0));

/** A second run only where the first was no slower than `close`. */
async function tryOne(
  programs: LlamaPrograms,
  contender: Contender,
  workload: Workload,
  prompts: readonly (readonly number[])[],
  close: number,
): Promise<number> {
  const side = await openContender(programs, contender, workload);
  try {
    const first = (await side.measure(prompts)).tokensPerSecond;
    return first < close ? first : Math.max(first, (await side.measure(prompts)).tokensPerSecond);
  } finally {
    await side.stop();
  }
}

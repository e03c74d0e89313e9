// What is generated, and what the times of its tokens come to. Pure.

/** Sequences that begin at once, each with a prompt of its own. */
export interface Workload {
  readonly name: string;
  readonly kind: "prefill" | "decode" | "throughput";
  readonly sequences: number;
  readonly promptTokens: number;
  readonly newTokens: number;
}

/** Which workloads there are. */
export interface WorkloadOptions {
  readonly isQuick: boolean;
  /** requests at once */
  readonly concurrencies: readonly number[];
}

/** What one turn came to. */
export interface Measured {
  /**
   * By kind. prefill: the prompt's over the time to the first token. decode: the new ones after the first. throughput:
   * prompts' and new ones over the whole time.
   */
  readonly tokensPerSecond: number;
  /** Until the first token of a prefill was there, chosen and delivered. */
  readonly firstTokenSeconds?: number;
  /** New tokens of all sequences while all of them generate. */
  readonly generatedPerSecond?: number;
}

const PREFILL_LENGTHS = [512, 2048] as const;

/** The workloads, with fewer new tokens when only a quick look is wanted. */
export function workloads({ isQuick, concurrencies }: WorkloadOptions): Workload[] {
  const newTokens = isQuick ? 32 : 128;
  return [
    ...PREFILL_LENGTHS.map((promptTokens): Workload => {
      return { name: `prefill ${promptTokens}`, kind: "prefill", sequences: 1, promptTokens, newTokens: 1 };
    }),
    { name: "decode", kind: "decode", sequences: 1, promptTokens: 64, newTokens },
    ...concurrencies.map((sequences): Workload => {
      return { name: `throughput ${sequences}`, kind: "throughput", sequences, promptTokens: 128, newTokens };
    }),
  ];
}

/** What the arrivals of every sequence's tokens, in seconds from the beginning, say of `workload`. */
export function fromArrivals(workload: Workload, arrivals: readonly (readonly number[])[]): Measured {
  return FROM_ARRIVALS[workload.kind](workload, arrivals);
}

const FROM_ARRIVALS: Readonly<Record<Workload["kind"], typeof fromArrivals>> = {
  prefill: ({ promptTokens }, [arrivals]) => {
    const firstTokenSeconds = arrivals![0]!;
    return { tokensPerSecond: promptTokens / firstTokenSeconds, firstTokenSeconds };
  },
  decode: (_, [arrivals]) => ({
    tokensPerSecond: (arrivals!.length - 1) / (arrivals!.at(-1)! - arrivals![0]!),
  }),
  throughput: ({ sequences, promptTokens, newTokens }, arrivals) => {
    const end = Math.max(...arrivals.map((each) => each.at(-1)!));
    const allBegan = Math.max(...arrivals.map((each) => each[0]!));
    const firstEnded = Math.min(...arrivals.map((each) => each.at(-1)!));
    const between = arrivals.flat().filter((time) => time > allBegan && time <= firstEnded).length;
    return {
      tokensPerSecond: (sequences * (promptTokens + newTokens)) / end,
      // Absent where a sequence ends before another begins: then they never generate all at once.
      ...(firstEnded > allBegan && { generatedPerSecond: between / (firstEnded - allBegan) }),
    };
  },
};

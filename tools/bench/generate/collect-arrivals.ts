// When the tokens of several generations came. Knows no engine.

/** Reads `newTokens` of each stream, all at once: for each, the seconds from now when its tokens came. */
export function collectArrivals(
  streams: readonly AsyncIterable<unknown>[],
  newTokens: number,
): Promise<number[][]> {
  const started = performance.now();
  return Promise.all(
    streams.map(async (stream) => {
      const arrivals: number[] = [];
      for await (const _ of stream) {
        arrivals.push((performance.now() - started) / 1e3);
        if (arrivals.length === newTokens) return arrivals;
      }
      throw new Error(`a generation ended after ${arrivals.length} of ${newTokens} tokens`);
    }),
  );
}

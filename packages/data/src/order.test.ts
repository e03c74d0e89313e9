import { describe, expect, it } from "vitest";
import { type SampleOrderOptions, sampleOrder } from "./order.ts";

const samplesOf = (options: SampleOrderOptions): number[] => {
  const order = sampleOrder(options);
  return Array.from({ length: order.length }, (_, position) => order.at(position));
};

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
const sorted = (samples: number[]): number[] => samples.toSorted((a, b) => a - b);

describe("sampleOrder()", () => {
  it("is the same for the same seed and epoch, and another for others", () => {
    const order = samplesOf({ length: 500, seed: 42, epoch: 3 });
    expect(samplesOf({ length: 500, seed: 42, epoch: 3 })).toEqual(order);
    expect(samplesOf({ length: 500, seed: 42, epoch: 4 })).not.toEqual(order);
    expect(samplesOf({ length: 500, seed: 43, epoch: 3 })).not.toEqual(order);
  });

  it("holds every sample once", () => {
    expect(sorted(samplesOf({ length: 501, seed: 1, epoch: 0 }))).toEqual(range(501));
  });

  it.each([
    [500, 4],
    [503, 4],
    [2, 5],
    [0, 3],
  ])("is parted by its shards: %i samples over %i ranks", (length, worldSize) => {
    const shards = range(worldSize).map((rank) => samplesOf({ length, seed: 7, epoch: 1, rank, worldSize }));
    expect(sorted(shards.flat())).toEqual(range(length));
    const sizes = shards.map((shard) => shard.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  it("interleaves its shards", () => {
    const shards = [0, 1].map((rank) => samplesOf({ length: 10, seed: 7, epoch: 1, rank, worldSize: 2 }));
    const interleaved = range(10).map((position) => shards[position % 2]![Math.floor(position / 2)]);
    expect(interleaved).toEqual(samplesOf({ length: 10, seed: 7, epoch: 1 }));
  });

  it("gives shards of one size when the first samples are repeated", () => {
    const options = { length: 10, seed: 7, epoch: 0, worldSize: 4, remainder: "repeat" } as const;
    const shards = range(4).map((rank) => samplesOf({ ...options, rank }));
    expect(shards.map((shard) => shard.length)).toEqual([3, 3, 3, 3]);
    const whole = samplesOf({ length: 10, seed: 7, epoch: 0 });
    expect(sorted(shards.flat())).toEqual(sorted([...whole, ...whole.slice(0, 2)]));
  });

  it("keeps the numbering when it is not to shuffle", () => {
    expect(samplesOf({ length: 6, seed: 7, epoch: 0, rank: 1, worldSize: 2, shuffle: false })).toEqual([
      1, 3, 5,
    ]);
  });

  it("refuses a rank outside the world and a position outside the shard", () => {
    expect(() => sampleOrder({ length: 3, seed: 0, epoch: 0, rank: 2, worldSize: 2 })).toThrow(
      "rank must be from 0 to 1",
    );
    expect(() => sampleOrder({ length: 3, seed: 0, epoch: 0 }).at(3)).toThrow("no position 3");
  });
});

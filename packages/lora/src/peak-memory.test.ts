// What the options that save memory save, in processes of their own: a peak belongs to a process.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { PeakMemory, PeakMemorySettings } from "./fixtures/peak-memory-child.ts";

/** The first use of a checkout also builds the native kernels. */
const TIMEOUT_MS = 180_000;
const child = fileURLToPath(new URL("./fixtures/peak-memory-child.ts", import.meta.url));
const MODEL: Omit<PeakMemorySettings, "options"> = {
  layers: 16,
  width: 128,
  length: 640,
  trained: "adapter",
};

async function measure(options: PeakMemorySettings["options"]): Promise<PeakMemory> {
  const settings: PeakMemorySettings = { ...MODEL, options };
  const args = ["--conditions=@flacuna/source", "--import", "tsx", child, JSON.stringify(settings)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as PeakMemory;
}

// The peak is read from Linux's table of processes.
describe.runIf(process.platform === "linux")("the peak memory of training", () => {
  let plain: PeakMemory;
  beforeAll(async () => {
    plain = await measure({});
  }, TIMEOUT_MS);

  it("falls by far by recomputing the layers, which changes no result", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const recomputed = await measure({ recompute: true });
    expect(recomputed.peakBytes).toBeLessThan(0.6 * plain.peakBytes);
    recomputed.losses.forEach((loss, step) => {
      expect(loss).toBeCloseTo(plain.losses[step]!, 5);
      expect(recomputed.norms[step]).toBeCloseTo(plain.norms[step]!, 5);
    });
  });

  it("falls by saving activations in bfloat16, which rounds the gradient and not the loss", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const rounded = await measure({ savedActivations: "bfloat16" });
    expect(rounded.peakBytes).toBeLessThan(0.85 * plain.peakBytes);
    expect(rounded.losses[0]).toBe(plain.losses[0]);
    rounded.norms.forEach((norm, step) => {
      expect(norm / plain.norms[step]!).toBeCloseTo(1, 2);
    });
  });
});

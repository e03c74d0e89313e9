// What the options that save memory save, in processes of their own: a peak belongs to a process.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { LossOptions } from "./fine-tune.ts";
import type { PeakMemory, PeakMemorySettings } from "./fixtures/peak-memory-child.ts";

const child = fileURLToPath(new URL("./fixtures/peak-memory-child.ts", import.meta.url));
const MODEL: Omit<PeakMemorySettings, "options"> = { layers: 8, width: 128, length: 384, trained: "adapter" };

async function measure(options: LossOptions): Promise<PeakMemory> {
  const settings: PeakMemorySettings = { ...MODEL, options };
  const args = ["--conditions=@flacuna/source", "--import", "tsx", child, JSON.stringify(settings)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as PeakMemory;
}

// The peak is read from Linux's table of processes.
describe.runIf(process.platform === "linux")("the peak memory of training", () => {
  it("falls to less than half by recomputing the layers, which changes no result", {
    timeout: 60_000,
  }, async () => {
    const plain = await measure({});
    const recomputed = await measure({ recompute: true });
    expect(recomputed.peakBytes).toBeLessThan(plain.peakBytes / 2);
    recomputed.losses.forEach((loss, step) => {
      expect(loss).toBeCloseTo(plain.losses[step]!, 5);
      expect(recomputed.norms[step]).toBeCloseTo(plain.norms[step]!, 5);
    });
  });
});

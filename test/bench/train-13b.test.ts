// The parts of `pnpm bench train-13b` at small sizes: weights written in their final form, steps made from them, and memory.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createAdapter, createAdapterTrainer, toSupervisedBatch } from "@flacuna/lora";
import { type LlamaConfig, llamaParameterShapes, writeSafetensors } from "@flacuna/model";
import { adamW, constantSchedule, kernelStatus, Tensor } from "@flacuna/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SizeJob, SizeMeasurement } from "../../tools/bench/train-13b-job.ts";
import { parseSizeOptions } from "../../tools/bench/train-13b-options.ts";
import { readRandomWeights, weightBytes, writeRandomWeights } from "../../tools/bench/train-13b-weights.ts";

const worker = fileURLToPath(new URL("../../tools/bench/train-13b-worker.ts", import.meta.url));
const TIMEOUT_MS = 180_000;
const MIB = 2 ** 20;

const TINY: LlamaConfig = {
  vocabSize: 96,
  hiddenSize: 64,
  intermediateSize: 128,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 4,
  headDim: 16,
  maxPositionEmbeddings: 64,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  tieWordEmbeddings: false,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "train-13b-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function takeStep(at: string, precision: "int8" | "int4" | "bfloat16"): Promise<number> {
  const trainer = await createAdapterTrainer({
    config: TINY,
    weights: await readRandomWeights(at, TINY),
    adapter: createAdapter(
      llamaParameterShapes(TINY),
      { targetModules: ["q_proj", "v_proj"], rank: 4, alpha: 8, dropout: 0 },
      { seed: 1 },
    ),
    precision,
    optimizer: adamW(),
    schedule: constantSchedule(1e-3),
    threads: 1,
  });
  const inputIds = BigInt64Array.from({ length: 20 }, (_, n) => BigInt((n * 7) % 96));
  const batch = toSupervisedBatch({ inputIds, labels: inputIds, batchSize: 1, sequenceLength: 20 });
  const { loss, skipped } = await trainer.train([batch]);
  await trainer.dispose();
  expect(skipped).toBe(false);
  return loss;
}

describe("writeRandomWeights()", () => {
  it.each(["int8", "int4", "bfloat16"] as const)(
    "gives all that a step in %s reads, without a weight in float32",
    { timeout: TIMEOUT_MS },
    async (precision) => {
      const at = join(folder, precision);
      await writeRandomWeights(at, TINY, precision);
      const weights = await readRandomWeights(at, TINY);
      expect(weights.get("model.layers.0.mlp.up_proj.weight")).toBeUndefined();
      // Weights this small leave the logits near 0: the loss is near that of a guess.
      expect(await takeStep(at, precision)).toBeCloseTo(Math.log(96), 0);
    },
  );

  it("keeps the files that are there, and replaces one that lacks a part", async () => {
    const at = join(folder, "again");
    const written: string[] = [];
    const write = () => writeRandomWeights(at, TINY, "int8", (line) => written.push(line));
    await write();
    expect((await readdir(at)).toSorted()).toEqual([
      "layer-0.safetensors",
      "layer-1.safetensors",
      "rest.safetensors",
    ]);
    const data = new Float32Array(64).fill(1);
    const norm = { name: "model.norm.weight", dtype: "float32", shape: [64] } as const;
    await writeSafetensors(join(at, "rest.safetensors"), [
      { ...norm, read: () => new Tensor("float32", [64], data) },
    ]);
    const before = await stat(join(at, "layer-0.safetensors"));
    await write();
    expect(written.length).toBe(4);
    expect((await stat(join(at, "layer-0.safetensors"))).mtimeMs).toBe(before.mtimeMs);
    expect(Number.isFinite(await takeStep(at, "int8"))).toBe(true);
  });
});

const { path: kernels } = await kernelStatus();

// Memory is read from Linux's table of processes; without native kernels nothing is held in packed parts.
describe.runIf(process.platform === "linux" && kernels !== undefined)("a worker of the benchmark", () => {
  it.each(["int8", "int4"] as const)(
    "never holds the weights of %s twice",
    { timeout: TIMEOUT_MS },
    async (precision) => {
      const config = { ...TINY, hiddenSize: 1024, intermediateSize: 4096, headDim: 256, numHiddenLayers: 8 };
      const at = join(folder, `large-${precision}`);
      await writeRandomWeights(at, config, precision);
      const job: SizeJob = {
        config,
        precision,
        folder: at,
        batchSize: 1,
        length: 32,
        threads: 1,
        steps: 1,
        recompute: false,
        savedActivations: "float32",
      };
      const args = ["--conditions=@flacuna/source", "--import", "tsx", worker, JSON.stringify(job)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const measured = JSON.parse(stdout) as SizeMeasurement;
      const held = weightBytes(config, precision);
      expect(held).toBeGreaterThan(60 * MIB);
      expect(measured.losses.every(Number.isFinite)).toBe(true);
      expect(measured.loadPeakBytes - measured.readyBytes).toBeLessThan(held / 3);
      expect(measured.peakBytes).toBeLessThan(1.5 * held + 256 * MIB);
    },
  );
});

describe("parseSizeOptions()", () => {
  it("measures all layers of 13B in int8 and int4 unless told otherwise", () => {
    expect(parseSizeOptions([])).toMatchObject({
      shape: "13b",
      layers: 40,
      precisions: ["int8", "int4"],
      length: 256,
    });
    expect(parseSizeOptions(["--quick"])).toMatchObject({ layers: 2, steps: 1 });
    expect(parseSizeOptions(["--layers", "3", "--precision", "int4"])).toMatchObject({
      layers: 3,
      precisions: ["int4"],
    });
  });

  it.each([
    ["--precision", "int5"],
    ["--layers", "0"],
    ["--save", "int8"],
  ])("refuses %s %s", (option, value) => {
    expect(() => parseSizeOptions([option, value])).toThrow(`${option}: expected`);
  });
});

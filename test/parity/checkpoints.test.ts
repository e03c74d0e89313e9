// Checkpoint folders as others write them, held to the logits that transformers computes of them.
import { readdir } from "node:fs/promises";
import { llamaLogits, llamaParameterShapes, readCheckpoint, readSafetensors } from "@flacuna/model";
import { spec, type Tensor, trace, weight } from "@flacuna/tensor";
import { relativeError } from "@flacuna/tensor/testing";
import { describe, expect, it } from "vitest";
import { runOnce, TOLERANCE } from "./closeness.ts";
import { goldenPath } from "./golden-files.ts";

const values = await readSafetensors(goldenPath("checkpoints.values.safetensors"));

async function logitsOf(name: string): Promise<Tensor> {
  const { config, weights } = await readCheckpoint(goldenPath(name));
  const shapes = llamaParameterShapes(config);
  const ids = await values.read(`${name}.input_ids`);
  const parameters = (path: string) => weight(path, { dtype: "float32", shape: shapes.get(path)! });
  const program = trace(
    (inputIds) => llamaLogits(config, parameters, { inputIds }),
    [spec("int64", ids.shape)],
  );
  return (await runOnce(program, [ids], weights)) as Tensor;
}

describe("readCheckpoint()", () => {
  it("reads Llama 3's rotary scaling and tied bfloat16 shards", async () => {
    const name = "checkpoint-llama-3";
    const { config, weights } = await readCheckpoint(goldenPath(name));
    expect(config).toMatchObject({ ropeTheta: 500_000, tieWordEmbeddings: true, ropeScaling: { factor: 8 } });
    expect(weights.get("model.norm.weight")).toMatchObject({ dtype: "bfloat16" });
    const files = await readdir(goldenPath(name));
    expect(files.filter((file) => file.endsWith(".safetensors")).length).toBeGreaterThan(1);
    expect(relativeError(await logitsOf(name), await values.read(`${name}.logits`))).toBeLessThanOrEqual(
      TOLERANCE,
    );
  });

  it("reads an early conversion of LLaMA: float16, wrong ids, stored frequencies", async () => {
    const name = "checkpoint-early";
    const { config, weights } = await readCheckpoint(goldenPath(name));
    expect(config).toMatchObject({ numKeyValueHeads: 4, ropeTheta: 10_000, tieWordEmbeddings: false });
    expect(weights.get("lm_head.weight")).toMatchObject({ dtype: "float16" });
    expect(relativeError(await logitsOf(name), await values.read(`${name}.logits`))).toBeLessThanOrEqual(
      TOLERANCE,
    );
  });
});

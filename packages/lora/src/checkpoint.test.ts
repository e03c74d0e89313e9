import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "@flacuna/model";
import { type DType, Tensor } from "@flacuna/tensor";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAdapter, writeAdapter } from "./checkpoint.ts";
import { formatAdapterConfig, type LoraConfig } from "./config.ts";
import { toyAdapter } from "./fixtures/toy-model.ts";

const CONFIG: LoraConfig = { rank: 1, alpha: 2, dropout: 0, targetModules: ["q_proj"] };
const MODULE = "model.layers.0.self_attn.q_proj";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flacuna-lora-"));
});
afterEach(() => rm(folder, { recursive: true }));

const tensorsFile = () => join(folder, "adapter_model.safetensors");

/** An adapter folder as some other program wrote it: ones in the given shapes, under the given names. */
async function writeFolder(
  shapes: Readonly<Record<string, readonly number[]>>,
  dtype: DType = "float32",
): Promise<void> {
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const ones = new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(1);
    return { name, dtype, shape, read: () => Tensor.fromArray(dtype, shape, ones) };
  });
  await writeSafetensors(tensorsFile(), tensors);
  await writeFile(join(folder, "adapter_config.json"), JSON.stringify(formatAdapterConfig(CONFIG)));
}

const [A, B] = [`base_model.model.${MODULE}.lora_A.weight`, `base_model.model.${MODULE}.lora_B.weight`];

describe("writeAdapter()", () => {
  it("writes what readAdapter() reads", async () => {
    const adapter = toyAdapter();
    await writeAdapter(join(folder, "new", "place"), adapter);
    expect(await readAdapter(join(folder, "new", "place"))).toEqual(adapter);
  });

  it("names tensors as PEFT does, without the adapter's name", async () => {
    await writeAdapter(folder, toyAdapter());
    const { tensors, metadata } = await readSafetensors(tensorsFile());
    expect([...tensors.keys()].filter((name) => name.includes("q_proj"))).toEqual([A, B]);
    expect(metadata).toEqual({ format: "pt" });
  });

  it("leaves the two files and nothing else", async () => {
    await writeAdapter(folder, toyAdapter());
    expect((await readdir(folder)).toSorted()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  });
});

describe("readAdapter()", () => {
  it("reads names that keep the adapter's own, as the released Flacuna weights do", async () => {
    await writeFolder({
      [A.replace(".weight", ".default.weight")]: [1, 3],
      [B.replace(".weight", ".default.weight")]: [2, 1],
    });
    const { tensors } = await readAdapter(folder);
    expect(tensors[MODULE]).toMatchObject({ A: { shape: [1, 3] }, B: { shape: [2, 1] } });
  });

  it.each(["float16", "bfloat16"] as const)("widens %s to float32", async (dtype) => {
    await writeFolder({ [A]: [1, 3], [B]: [2, 1] }, dtype);
    expect((await readAdapter(folder)).tensors[MODULE]!.A).toEqual(
      Tensor.fromArray("float32", [1, 3], [1, 1, 1]),
    );
  });

  it("names the factor that is missing", async () => {
    await writeFolder({ [A]: [1, 3] });
    await expect(readAdapter(folder)).rejects.toMatchObject({
      code: "LORA_ADAPTER_INVALID",
      message: expect.stringContaining(`${MODULE}: lora_B is missing`),
    });
  });

  it("names the tensors that are no factors", async () => {
    await writeFolder({ [A]: [1, 3], [B]: [2, 1], "base_model.model.lm_head.weight": [2, 2], extra: [1] });
    await expect(readAdapter(folder)).rejects.toMatchObject({
      code: "LORA_ADAPTER_INVALID",
      message: expect.stringContaining("base_model.model.lm_head.weight, extra"),
    });
  });

  it("names factors of another rank than the config's", async () => {
    await writeFolder({ [A]: [2, 3], [B]: [2, 2] });
    await expect(readAdapter(folder)).rejects.toMatchObject({
      code: "LORA_ADAPTER_INVALID",
      message: expect.stringContaining(`${MODULE}: A [2,3] and B [2,2] are not of rank 1`),
    });
  });

  it("refuses a file without factors", async () => {
    await writeFolder({});
    await expect(readAdapter(folder)).rejects.toMatchObject({ code: "LORA_ADAPTER_INVALID" });
  });

  it("refuses a truncated file of tensors", async () => {
    await writeAdapter(folder, toyAdapter());
    await truncate(tensorsFile(), (await readFile(tensorsFile())).length - 4);
    await expect(readAdapter(folder)).rejects.toMatchObject({ code: "MODEL_SAFETENSORS_INVALID" });
  });

  it("names the config when it is missing or broken", async () => {
    const expected = {
      code: "LORA_ADAPTER_INVALID",
      message: expect.stringContaining("adapter_config.json"),
    };
    await expect(readAdapter(folder)).rejects.toMatchObject(expected);
    await writeFile(join(folder, "adapter_config.json"), '{"peft_type": ');
    await expect(readAdapter(folder)).rejects.toMatchObject({ ...expected, cause: expect.any(SyntaxError) });
  });
});

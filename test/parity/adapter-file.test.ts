// Adapter folders, held to those that PEFT's save_pretrained() writes.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAdapter, writeAdapter } from "@flacuna/lora";
import { readSafetensors } from "@flacuna/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { goldenPath } from "./golden-files.ts";
import { byPeftName, TOYS } from "./toy-models.ts";

const CONFIG = "adapter_config.json";
const TENSORS = "adapter_model.safetensors";

async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, "utf8"));
}

/** Name, dtype, shape and bytes of everything in a safetensors file, in the file's order. */
async function contents(path: string) {
  const { metadata, tensors, read } = await readSafetensors(path);
  const entries = [...tensors].map(async ([name, { dtype, shape }]) => {
    return { name, dtype, shape, data: (await read(name)).data };
  });
  return { metadata, tensors: await Promise.all(entries) };
}

describe("readAdapter()", () => {
  it.each(TOYS)("reads the settings of the reference's adapter of $name", async ({ name, adapter }) => {
    expect(adapter.config).toEqual({
      rank: 4,
      alpha: 8,
      dropout: 0,
      targetModules: ["q_proj", "v_proj"],
      baseModel: name,
    });
  });

  it.each(TOYS)("reads every tensor of the reference's adapter of $name", async ({ name, adapter }) => {
    const { tensors } = await readSafetensors(goldenPath(`${name}-adapter/${TENSORS}`));
    expect(Object.keys(byPeftName(adapter.tensors)).toSorted()).toEqual([...tensors.keys()].toSorted());
  });
});

describe("writeAdapter()", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flacuna-adapter-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(TOYS)(
    "writes the tensors of $name bit for bit as the reference does",
    async ({ name, adapter }) => {
      await writeAdapter(join(folder, name), adapter);
      const written = await contents(join(folder, name, TENSORS));
      expect(written).toEqual(await contents(goldenPath(`${name}-adapter/${TENSORS}`)));
    },
  );

  it.each(TOYS)("writes only settings of $name that the reference writes, with its values", async (toy) => {
    await writeAdapter(join(folder, toy.name), toy.adapter);
    const written = await readJson(join(folder, toy.name, CONFIG));
    expect(await readJson(goldenPath(`${toy.name}-adapter/${CONFIG}`))).toMatchObject(written);
  });

  it.each(TOYS)("writes what readAdapter() reads for $name", async ({ name, adapter }) => {
    await writeAdapter(join(folder, name), adapter);
    expect(await readAdapter(join(folder, name))).toEqual(adapter);
  });
});

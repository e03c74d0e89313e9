import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor } from "@flacuna/tensor";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatLlamaConfig, llamaParameterShapes, parseLlamaConfig } from "../config.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { type TensorToWrite, writeSafetensors } from "./safetensors.ts";

const CONFIG = parseLlamaConfig({
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  vocab_size: 10,
  rms_norm_eps: 1e-5,
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Every parameter of `config`, filled with its rank in execution order. */
function parameters(config = CONFIG): TensorToWrite[] {
  return [...llamaParameterShapes(config)].map(([name, shape], rank) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return {
      name,
      dtype: "float32",
      shape,
      read: () => Tensor.fromArray("float32", shape, Array(size).fill(rank)),
    };
  });
}

async function writeShards(tensors: readonly TensorToWrite[], config = CONFIG): Promise<void> {
  await writeFile(join(folder, "config.json"), JSON.stringify(formatLlamaConfig(config, "float32")));
  const half = tensors.length >> 1;
  const weightMap: Record<string, string> = {};
  for (const [name, part] of [
    ["model-00001-of-00002.safetensors", tensors.slice(0, half)],
    ["model-00002-of-00002.safetensors", tensors.slice(half)],
  ] as const) {
    await writeSafetensors(join(folder, name), part);
    for (const tensor of part) weightMap[tensor.name] = name;
  }
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
}

describe("writeCheckpoint()", () => {
  it("is read back: configuration, names in execution order, values and places", async () => {
    await writeCheckpoint(folder, CONFIG, parameters().reverse());
    const { config, weights, paths } = await readCheckpoint(folder);
    expect(config).toEqual(CONFIG);
    expect(paths[0]).toBe("model.embed_tokens.weight");
    expect(paths).toHaveLength(12);
    for (const [rank, path] of paths.entries()) {
      const weight = weights.get(path)!;
      const tensor = await weight.read();
      expect(tensor.shape).toEqual(weight.shape);
      expect(new Set(tensor.toNumbers())).toEqual(new Set([rank]));
      const bytes = (await readFile(weight.file.path))
        .subarray(weight.file.offset)
        .subarray(0, weight.file.length);
      expect(bytes.readFloatLE(0)).toBe(rank);
    }
  });

  it("writes nothing when a parameter is missing", async () => {
    const out = join(folder, "out");
    await expect(writeCheckpoint(out, CONFIG, parameters().slice(1))).rejects.toMatchObject({
      code: "MODEL_CHECKPOINT_MISMATCH",
      details: { missing: ["model.embed_tokens.weight"] },
    });
    await expect(readCheckpoint(out)).rejects.toMatchObject({ code: "MODEL_FILE_UNREADABLE" });
  });
});

describe("readCheckpoint()", () => {
  it("joins shards and ignores stored rotary frequencies", async () => {
    const inv = Tensor.zeros("float32", [2]);
    const name = "model.layers.0.self_attn.rotary_emb.inv_freq";
    await writeShards([...parameters(), { name, dtype: "float32", shape: [2], read: () => inv }]);
    const { weights, paths } = await readCheckpoint(folder);
    expect(paths.every((path) => weights.get(path) !== undefined)).toBe(true);
    expect(weights.get(name)).toBeUndefined();
  });

  it("accepts a stored copy of a tied output head", async () => {
    const head = {
      name: "lm_head.weight",
      dtype: "float32",
      shape: [10, 8],
      read: () => Tensor.zeros("float32", [10, 8]),
    } as const;
    const tied = { ...CONFIG, tieWordEmbeddings: true };
    await writeShards([...parameters(tied), head], tied);
    await expect(readCheckpoint(folder)).resolves.toMatchObject({ config: tied });
  });

  it("reports everything that is wrong at once", async () => {
    const [first, second, ...rest] = parameters();
    const extra = { ...first!, name: "extra.weight" };
    const narrow = { ...second!, shape: [4], read: () => Tensor.zeros("float32", [4]) };
    await writeShards([extra, narrow, ...rest]);
    await expect(readCheckpoint(folder)).rejects.toMatchObject({
      code: "MODEL_CHECKPOINT_MISMATCH",
      details: {
        missing: ["model.embed_tokens.weight"],
        unexpected: ["extra.weight"],
        misshaped: ["model.layers.0.input_layernorm.weight: expected [8], got [4]"],
      },
    });
  });

  it("refuses an index that points out of the folder", async () => {
    await writeFile(join(folder, "config.json"), JSON.stringify(formatLlamaConfig(CONFIG, "float32")));
    const index = { weight_map: { a: "../secret.safetensors" } };
    await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
    await expect(readCheckpoint(folder)).rejects.toMatchObject({ code: "MODEL_SAFETENSORS_INVALID" });
  });

  it.each(["float32", "float16", "bfloat16"] as const)(
    "reads %s as stored, in one file or in shards",
    async (dtype) => {
      const stored = parameters().map((tensor, rank) => {
        const size = tensor.shape.reduce((a, b) => a * b, 1);
        const values = Array.from({ length: size }, (_, i) => (rank - i) / 4);
        return { ...tensor, dtype, read: () => Tensor.fromArray(dtype, tensor.shape, values) };
      });
      for (const write of [() => writeCheckpoint(folder, CONFIG, stored), () => writeShards(stored)]) {
        await write();
        const { weights } = await readCheckpoint(folder);
        for (const { name, read } of stored) {
          expect(weights.get(name)!.dtype).toBe(dtype);
          expect(await weights.get(name)!.read()).toEqual(read());
        }
        await rm(join(folder, "model.safetensors"), { force: true });
      }
    },
  );

  it.each([
    ["pytorch_model.bin", "safe_serialization"],
    ["pytorch_model-00001-of-00002.bin", "safe_serialization"],
    ["model.pt", "safe_serialization"],
    ["consolidated.00.pth", "convert_llama_weights_to_hf"],
  ])("refuses the pickle %s and says how to convert it", async (name, advice) => {
    const config = name.startsWith("consolidated") ? "params.json" : "config.json";
    await writeFile(join(folder, config), JSON.stringify(formatLlamaConfig(CONFIG, "float32")));
    await writeFile(join(folder, name), "");
    await expect(readCheckpoint(folder)).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED",
      message: expect.stringContaining(advice),
    });
  });

  it("reads safetensors that lie beside pickles", async () => {
    await writeCheckpoint(folder, CONFIG, parameters());
    for (const name of ["pytorch_model.bin", "training_args.bin", "optimizer.pt"]) {
      await writeFile(join(folder, name), "");
    }
    await expect(readCheckpoint(folder)).resolves.toMatchObject({ config: CONFIG });
  });

  it("reads an early conversion: ids that are wrong or missing, and fields of later versions absent", async () => {
    await writeCheckpoint(folder, CONFIG, parameters());
    const early = {
      architectures: ["LLaMAForCausalLM"],
      model_type: "llama",
      hidden_size: 8,
      intermediate_size: 12,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      vocab_size: 10,
      rms_norm_eps: 1e-5,
      max_sequence_length: 2048,
      bos_token_id: 0,
      eos_token_id: 1,
      pad_token_id: -1,
      torch_dtype: "float16",
    };
    await writeFile(join(folder, "config.json"), JSON.stringify(early));
    expect((await readCheckpoint(folder)).config).toEqual(CONFIG);
  });

  it("reads the rotary scaling of Llama 3", async () => {
    const ropeScaling = {
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 8192,
    };
    const scaled = { ...CONFIG, ropeTheta: 500_000, ropeScaling };
    await writeCheckpoint(folder, scaled, parameters());
    expect((await readCheckpoint(folder)).config).toEqual(scaled);
  });

  it("reports a folder without a configuration", async () => {
    await expect(readCheckpoint(folder)).rejects.toMatchObject({ code: "MODEL_FILE_UNREADABLE" });
  });
});

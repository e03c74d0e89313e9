import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Block, type Field, f32, field, ggufBytes } from "../fixtures/gguf-bytes.ts";
import { readGgufCheckpoint } from "./gguf-checkpoint.ts";

const [V, C, F, H, K, D] = [10, 32, 64, 2, 1, 8];

/** Rows of `width` whose elements are the number of the row. */
const numbered = (name: string, rows: number, width: number): Block => ({
  name,
  dimensions: [width, rows],
  type: 0,
  bytes: f32(...Array.from({ length: rows * width }, (_, i) => Math.floor(i / width))),
});
const ones = (name: string): Block => ({ name, dimensions: [C], type: 0, bytes: f32(...Array(C).fill(1)) });

/** Q8_0 rows of one block: the scale 1, and the number of the row in every byte. */
const quantized = (name: string, rows: number): Block => {
  const bytes = Array.from({ length: rows }, (_, row) => [0x00, 0x3c, ...Array(32).fill(row)]).flat();
  return { name, dimensions: [32, rows], type: 8, bytes: Uint8Array.from(bytes) };
};

const BLOCKS: readonly Block[] = [
  numbered("token_embd.weight", V, C),
  ones("blk.0.attn_norm.weight"),
  numbered("blk.0.attn_q.weight", H * D, C),
  quantized("blk.0.attn_k.weight", K * D),
  numbered("blk.0.attn_v.weight", K * D, C),
  numbered("blk.0.attn_output.weight", C, H * D),
  ones("blk.0.ffn_norm.weight"),
  numbered("blk.0.ffn_gate.weight", F, C),
  numbered("blk.0.ffn_up.weight", F, C),
  numbered("blk.0.ffn_down.weight", C, F),
  ones("output_norm.weight"),
];
const FIELDS: readonly Field[] = [
  field.string("general.architecture", "llama"),
  field.uint32("llama.block_count", 1),
  field.uint32("llama.context_length", 128),
  field.uint32("llama.embedding_length", C),
  field.uint32("llama.feed_forward_length", F),
  field.uint32("llama.attention.head_count", H),
  field.uint32("llama.attention.head_count_kv", K),
  field.uint32("llama.attention.key_length", D),
  field.float32("llama.attention.layer_norm_rms_epsilon", 1e-5),
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gguf-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function read(fields = FIELDS, blocks = BLOCKS) {
  const path = join(folder, "model.gguf");
  await writeFile(path, ggufBytes(fields, blocks));
  return readGgufCheckpoint(path);
}

const replaced = (...changed: readonly Field[]): Field[] => [
  ...FIELDS.filter(({ key }) => !changed.some((other) => other.key === key)),
  ...changed,
];

describe("readGgufCheckpoint()", () => {
  it("maps metadata to the configuration, numbers as they were meant", async () => {
    const { config, paths } = await read();
    expect(config).toEqual({
      vocabSize: V,
      hiddenSize: C,
      intermediateSize: F,
      numHiddenLayers: 1,
      numAttentionHeads: H,
      numKeyValueHeads: K,
      headDim: D,
      maxPositionEmbeddings: 128,
      rmsNormEps: 1e-5,
      ropeTheta: 10_000,
      tieWordEmbeddings: true,
    });
    expect(paths).toHaveLength(11);
    expect(paths.slice(0, 3)).toEqual([
      "model.embed_tokens.weight",
      "model.layers.0.input_layernorm.weight",
      "model.layers.0.self_attn.q_proj.weight",
    ]);
  });

  it("puts the rows of queries and keys in halves, blocks of bytes too", async () => {
    const { weights } = await read();
    const firstColumn = async (name: string) => {
      const tensor = await weights.get(`model.layers.0.self_attn.${name}.weight`)!.read();
      return tensor.toNumbers().filter((_, i) => i % C === 0);
    };
    const head = [0, 2, 4, 6, 1, 3, 5, 7];
    expect(await firstColumn("q_proj")).toEqual([...head, ...head.map((row) => row + D)]);
    expect(await firstColumn("k_proj")).toEqual(head);
    expect(await firstColumn("v_proj")).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const keys = weights.get("model.layers.0.self_attn.k_proj.weight")!;
    expect(keys).toMatchObject({ dtype: "float32", type: "Q8_0", shape: [K * D, C] });
    expect([...(await keys.readRaw())].filter((_, i) => i % 34 === 2)).toEqual(head);
  });

  it("offers 4-bit blocks to compute with, in the same order of rows", async () => {
    // Rows of one Q4_0 block, 18 bytes: a scale, then the number of the row in every byte.
    const eightBit = quantized("blk.0.attn_q.weight", H * D);
    const query = { ...eightBit, type: 2, bytes: eightBit.bytes.filter((_, i) => i % 34 < 18) };
    const { weights } = await read(FIELDS, [...BLOCKS.filter(({ name }) => name !== query.name), query]);
    const { blocks } = weights.get("model.layers.0.self_attn.q_proj.weight")!;
    expect(blocks!.format).toBe("q4_0");
    const head = [0, 2, 4, 6, 1, 3, 5, 7];
    expect([...(await blocks!.read())].filter((_, i) => i % 18 === 2)).toEqual([
      ...head,
      ...head.map((r) => r + D),
    ]);
    expect(weights.get("model.layers.0.self_attn.k_proj.weight")!.blocks).toBeUndefined();
  });

  it("has an output head of its own when the file does", async () => {
    const { config, weights } = await read(FIELDS, [...BLOCKS, numbered("output.weight", V, C)]);
    expect(config.tieWordEmbeddings).toBe(false);
    expect(weights.get("lm_head.weight")).toMatchObject({ shape: [V, C] });
  });

  it("knows Llama 3's scaling by the rotary factors it became", async () => {
    // As llama.cpp converts them: 1 for short waves, the factor for long ones, between them blended.
    const factors = Array.from({ length: D / 2 }, (_, j) => {
      const wavelength = 2 * Math.PI * 500_000 ** ((2 * j) / D);
      const smooth = Math.min(1, Math.max(0, (8192 / wavelength - 1) / 3));
      return 1 / ((1 - smooth) / 32 + smooth);
    });
    const tensor: Block = { name: "rope_freqs.weight", dimensions: [D / 2], type: 0, bytes: f32(...factors) };
    const { config, paths } = await read(
      [...FIELDS, field.float32("llama.rope.freq_base", 500_000)],
      [...BLOCKS, tensor],
    );
    expect(config).toMatchObject({
      ropeTheta: 500_000,
      ropeScaling: { factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192 },
    });
    expect(paths).toHaveLength(11);
  });

  it("says where the stored bytes lie", async () => {
    const { weights } = await read();
    const { file, readRaw } = weights.get("model.embed_tokens.weight")!;
    const bytes = (await readFile(file.path)).subarray(file.offset, file.offset + file.length);
    expect(new Uint8Array(bytes)).toEqual(await readRaw());
  });

  it.each([
    ["another architecture", replaced(field.string("general.architecture", "mamba")), BLOCKS, "mamba"],
    ["experts", replaced(field.uint32("llama.expert_count", 8)), BLOCKS, "experts"],
    ["one part of several", [...FIELDS, field.uint32("split.count", 2)], BLOCKS, "gguf-split"],
    ["scaled positions", replaced(field.string("llama.rope.scaling.type", "yarn")), BLOCKS, "yarn"],
    [
      "values of another size",
      replaced(field.uint32("llama.attention.value_length", 4)),
      BLOCKS,
      "value_length",
    ],
    ["frequencies of its own", FIELDS, [...BLOCKS, numbered("rope_freqs.weight", 1, D / 2)], "frequencies"],
  ])("refuses %s", async (_, fields, blocks, message) => {
    await expect(read(fields, blocks)).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED",
      message: expect.stringContaining(message),
    });
  });

  it("names the metadata that is missing", async () => {
    const fields = FIELDS.filter(({ key }) => key !== "llama.block_count");
    await expect(read(fields)).rejects.toMatchObject({
      code: "MODEL_CONFIG_INVALID",
      details: { key: "llama.block_count" },
    });
  });

  it("reports every tensor that is missing or unknown", async () => {
    const blocks = [...BLOCKS.slice(0, -1), ones("blk.0.attn_q.bias"), ones("stranger.weight")];
    await expect(read(FIELDS, blocks)).rejects.toMatchObject({
      code: "MODEL_CHECKPOINT_MISMATCH",
      details: {
        missing: ["model.norm.weight"],
        unexpected: ["model.layers.0.self_attn.q_proj.bias", "stranger.weight"],
      },
    });
  });
});

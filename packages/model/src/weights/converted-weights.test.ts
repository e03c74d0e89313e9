import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TOY, toyWeights } from "../fixtures/toy-model.ts";
import { toyTokenizer } from "../fixtures/toy-tokenizer.ts";
import { createLanguageModel } from "../language-model.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { contentHash } from "./content-hash.ts";
import { convertedWeights } from "./converted-weights.ts";
import { readSafetensors } from "./safetensors.ts";

const PART = "model.layers.0.mlp.up_proj.weight#int8.packed";

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "converted-"));
  cache = join(folder, "cache");
  vi.stubEnv("FLACUNA_CACHE", cache);
  await writeToy(1);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function writeToy(seed: number): Promise<void> {
  const tensors = [...toyWeights(TOY, seed)].map(([name, tensor]) => ({
    name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    read: () => tensor,
  }));
  await writeCheckpoint(join(folder, "model"), TOY, tensors);
}

/** The converted weights, and how often the checkpoint was read. */
async function open(form = "int8") {
  const { weights, paths } = await readCheckpoint(join(folder, "model"));
  let reads = 0;
  const counted = {
    get(path: string) {
      const stored = weights.get(path);
      if (stored === undefined) return undefined;
      const read = () => {
        reads += 1;
        return stored.read();
      };
      return { ...stored, read };
    },
  };
  const converted = await convertedWeights(counted, { paths, form });
  const bytes = async (name = PART) => (await converted.weights.get(name)!.read()).data;
  return { ...converted, bytes, reads: () => reads };
}

const keptFiles = async () =>
  (await readdir(join(cache, "weights"))).filter((name) => name.endsWith(".safetensors"));

describe("convertedWeights()", () => {
  it("reads what was converted before, and nothing of the checkpoint", async () => {
    const first = await open();
    const made = await first.bytes();
    await first.save();
    const second = await open();
    expect(await second.bytes()).toEqual(made);
    expect([first.reads(), second.reads()]).toEqual([1, 0]);
  });

  it("converts again when the checkpoint has changed", async () => {
    const first = await open();
    const made = await first.bytes();
    await first.save();
    await writeToy(2);
    const second = await open();
    expect(await second.bytes()).not.toEqual(made);
    await second.save();
    expect(await keptFiles()).toHaveLength(2);
  });

  it("keeps forms apart, and gives what is in none from the checkpoint", async () => {
    const first = await open();
    await first.bytes();
    await first.save();
    const other = await open("int4");
    await other.bytes("model.layers.0.mlp.up_proj.weight#float16.rows");
    expect(other.reads()).toBe(1);
    const again = await open();
    await again.bytes("model.layers.0.mlp.down_proj.weight#int8.packed");
    expect(again.reads()).toBe(1);
  });

  it("does without a cache that cannot be written", async () => {
    await writeFile(cache, "a file where the folder should be");
    const weights = await open();
    expect(await weights.bytes()).toBeInstanceOf(Int8Array);
    await expect(weights.save()).resolves.toBeUndefined();
  });

  it("does without a kept file that is damaged", async () => {
    const first = await open();
    const made = await first.bytes();
    await first.save();
    const [name] = await keptFiles();
    await writeFile(join(cache, "weights", name!), "damaged");
    expect(await (await open()).bytes()).toEqual(made);
  });

  it("replaces a kept file that lost what is in the middle", async () => {
    const first = await open();
    const made = await first.bytes();
    await first.save();
    const [name] = await keptFiles();
    const kept = join(cache, "weights", name!);
    const { offset, length } = (await readSafetensors(kept)).tensors.get(PART)!;
    const bytes = await readFile(kept);
    // A file of its own: the first one stays as it is for those who have it mapped.
    await rm(kept);
    await writeFile(kept, bytes.fill(0, offset + length / 2, offset + length / 2 + 64));
    const second = await open();
    expect(await second.bytes()).toEqual(made);
    expect([second.reads(), await keptFiles()]).toEqual([1, []]);
    const third = await open();
    await third.bytes();
    await third.save();
    expect(await keptFiles()).toEqual([name]);
  });

  it("keeps one whole file when two convert at once", async () => {
    const both = await Promise.all([open(), open()]);
    const [made] = await Promise.all(both.map((converted) => converted.bytes()));
    await Promise.all(both.map(({ save }) => save()));
    const again = await open();
    expect(await again.bytes()).toEqual(made);
    expect([again.reads(), await readdir(join(cache, "weights"))]).toEqual([
      0,
      expect.not.arrayContaining([expect.stringMatching("partial")]),
    ]);
  });

  it("lets go what was not used for longest, and who uses it has it still", async () => {
    const first = await open();
    const made = await first.bytes();
    await first.save();
    const [name] = await keptFiles();
    const { size } = await stat(join(cache, "weights", name!));
    const longAgo = new Date(2020, 1, 1);
    const age = async () => {
      for (const each of await readdir(join(cache, "weights")))
        await utimes(join(cache, "weights", each), longAgo, longAgo);
    };
    vi.stubEnv("FLACUNA_CACHE_GIB", String((2.5 * size) / 2 ** 30));
    const add = async (seed: number) => {
      await writeToy(seed);
      const converted = await open();
      await converted.bytes();
      await converted.save();
    };
    await age();
    await add(2);
    await age();
    await writeToy(1);
    const used = await open();
    await add(3);
    expect(await keptFiles()).toHaveLength(2);
    expect(await keptFiles()).toContain(name);
    await age();
    await add(4);
    await add(5);
    expect(await keptFiles()).not.toContain(name);
    expect(await used.bytes()).toEqual(made);
    expect(used.reads()).toBe(0);
  });

  it("keeps nothing where nothing may be kept", async () => {
    vi.stubEnv("FLACUNA_CACHE_GIB", "0");
    const first = await open();
    await first.bytes();
    await first.save();
    expect(await keptFiles()).toEqual([]);
  });

  it("gives a language model what it computes without a cache", async () => {
    const generate = async () => {
      const converted = await open();
      const parts = { config: TOY, weights: converted.weights, tokenizer: toyTokenizer() };
      const model = createLanguageModel(parts, { threads: 1, precision: "int8", cacheTokens: 64 });
      const [ids] = await model.generateBatch([[1, 5, 6]], { maxNewTokens: 8, eosTokenIds: [] });
      await model.dispose();
      await converted.save();
      return { ids, reads: converted.reads() };
    };
    const [first, second] = [await generate(), await generate()];
    expect(second.ids).toEqual(first.ids);
    expect(first.reads).toBeGreaterThan(second.reads);
  });
});

describe("contentHash()", () => {
  const at = (name: string) => join(folder, name);
  it("depends on the contents alone, and on every file's", async () => {
    await writeFile(at("a"), "one");
    await writeFile(at("b"), "one");
    await writeFile(at("c"), "two");
    const [a, b, c, both] = await Promise.all(
      [["a"], ["b"], ["c"], ["a", "c"]].map((names) => contentHash(names.map(at), cache)),
    );
    expect(b).toBe(a);
    expect(new Set([a, c, both]).size).toBe(3);
  });

  it("takes a hash for a file's contents while its size and time of change stay", async () => {
    const time = new Date(2020, 1, 1);
    const hashOf = async (text: string) => {
      await writeFile(at("a"), text);
      await utimes(at("a"), time, time);
      return contentHash([at("a")], cache);
    };
    const first = await hashOf("one");
    expect(await hashOf("two")).toBe(first);
    expect(await hashOf("three")).not.toBe(first);
  });

  it("trusts names that are hashes, as the hub's cache has them", async () => {
    const name = "ab".repeat(32);
    await mkdir(at("blobs"));
    await writeFile(at(`blobs/${name}`), "one");
    await writeFile(at("plain"), "one");
    const [named, plain] = await Promise.all([
      contentHash([at(`blobs/${name}`)], cache),
      contentHash([at("plain")], cache),
    ]);
    expect(named).not.toBe(plain);
  });
});

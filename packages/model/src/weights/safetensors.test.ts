import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DType, Tensor } from "@flacuna/tensor";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "safetensors-"));
});
afterEach(() => rm(folder, { recursive: true }));

const named = (name: string, tensor: Tensor) => ({
  name,
  dtype: tensor.dtype,
  shape: tensor.shape,
  read: () => tensor,
});

/** A file by hand: `header` as it is, then `data` zero bytes. */
async function craft(header: string, data: number, claimed = Buffer.byteLength(header)): Promise<string> {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(claimed));
  const path = join(folder, "crafted.safetensors");
  await writeFile(path, Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(data)]));
  return path;
}

describe("writeSafetensors()", () => {
  it("writes every dtype so that it is read back the same", async () => {
    const dtypes: DType[] = [
      "float64",
      "float32",
      "float16",
      "bfloat16",
      "int64",
      "int32",
      "int16",
      "int8",
      "uint8",
      "bool",
    ];
    const tensors = dtypes.map((dtype) => Tensor.fromArray(dtype, [2, 3], [0, 1, 1, 0, 1, 0]));
    const path = join(folder, "all.safetensors");
    await writeSafetensors(
      path,
      tensors.map((tensor) => named(`t.${tensor.dtype}`, tensor)),
      { metadata: { format: "pt" } },
    );

    const file = await readSafetensors(path);

    expect(file.metadata).toEqual({ format: "pt" });
    expect(file.tensors.size).toBe(dtypes.length);
    for (const tensor of tensors) expect(await file.read(`t.${tensor.dtype}`)).toEqual(tensor);
  });

  it("keeps every tensor aligned to its element width", async () => {
    const path = join(folder, "aligned.safetensors");
    await writeSafetensors(path, [
      named("a", Tensor.zeros("uint8", [3])),
      named("b", Tensor.zeros("float32", [])),
      named("0", Tensor.zeros("int64", [0, 4])),
      named("z", Tensor.zeros("float16", [5])),
    ]);
    const { tensors } = await readSafetensors(path);
    expect([...tensors.keys()]).toEqual(["0", "b", "z", "a"]);
    expect(tensors.get("b")!.offset % 4).toBe(0);
    expect(tensors.get("z")!.offset % 2).toBe(0);
  });

  it("aligns tensors of whole lines of the cache to these", async () => {
    const path = join(folder, "lines.safetensors");
    await writeSafetensors(path, [
      named("a", Tensor.zeros("float64", [1])),
      named("b", Tensor.zeros("int8", [64, 3])),
      named("c", Tensor.zeros("float16", [32])),
    ]);
    const { tensors } = await readSafetensors(path);
    expect(["b", "c"].map((name) => tensors.get(name)!.offset % 64)).toEqual([0, 0]);
  });

  it("reads the same from a file that is mapped, which stays as it is", async () => {
    const path = join(folder, "mapped.safetensors");
    const tensor = Tensor.fromArray("int32", [3], [1, 2, 3]);
    await writeSafetensors(path, [named("a", tensor), named("b", Tensor.zeros("float32", [0]))]);
    const file = await readSafetensors(path, { isMapped: true });
    const read = await file.read("a");
    expect(read).toEqual(tensor);
    expect(await file.read("b")).toEqual(Tensor.zeros("float32", [0]));
    (read.data as Int32Array).fill(7);
    expect(await (await readSafetensors(path)).read("a")).toEqual(tensor);
  });

  it("keeps odd names", async () => {
    const path = join(folder, "odd.safetensors");
    const names = ["__proto__", "constructor", 'quote"and\\slash', "日本語", "1"];
    await writeSafetensors(
      path,
      names.map((name, i) => named(name, Tensor.fromArray("int32", [1], [i]))),
    );
    const file = await readSafetensors(path);
    for (const [i, name] of names.entries()) expect((await file.read(name)).toNumbers()).toEqual([i]);
  });

  it("leaves the old file and no litter when a tensor cannot be produced", async () => {
    const path = join(folder, "kept.safetensors");
    await writeSafetensors(path, [named("a", Tensor.zeros("float32", [1]))]);
    const before = await readFile(path);
    const failing = {
      ...named("b", Tensor.zeros("float32", [1])),
      read: () => Promise.reject(new Error("lost")),
    };
    await expect(writeSafetensors(path, [failing])).rejects.toThrow("lost");
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(folder)).toEqual(["kept.safetensors"]);
  });

  it("refuses a tensor that is not as announced", async () => {
    const wrong = { ...named("a", Tensor.zeros("float32", [2])), shape: [3] };
    await expect(writeSafetensors(join(folder, "x"), [wrong])).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
    });
  });

  it("refuses a name given twice", async () => {
    const twice = [named("a", Tensor.zeros("int8", [1])), named("a", Tensor.zeros("int8", [1]))];
    await expect(writeSafetensors(join(folder, "x"), twice)).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
    });
  });
});

describe("readSafetensors()", () => {
  const one = (fields: object) =>
    JSON.stringify({ a: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields } });

  it("reads a header made by hand", async () => {
    const file = await readSafetensors(await craft(`${one({})}   `, 8));
    expect((await file.read("a")).toNumbers()).toEqual([0, 0]);
  });

  it.each([
    ["a file of zeros", "\0\0\0\0", 4],
    ["JSON that is not an object", "[1]", 0],
    ["JSON cut short", '{"a":', 0],
    ["an unknown dtype", one({ dtype: "F8_E4M3" }), 8],
    ["a dtype of the prototype", one({ dtype: "toString" }), 8],
    ["a negative axis", one({ shape: [-2] }), 8],
    ["an axis that is not an integer", one({ shape: [1.5] }), 8],
    ["offsets that do not fit the shape", one({ data_offsets: [0, 4] }), 8],
    ["offsets that run backwards", one({ data_offsets: [8, 0] }), 8],
    ["three offsets", one({ data_offsets: [0, 8, 8] }), 8],
    ["an entry that is null", '{"a":null}', 0],
    ["a shape whose product overflows", one({ shape: [2 ** 40, 2 ** 40], data_offsets: [0, 8] }), 8],
    ["tensors out of bounds", one({}), 4],
    ["data of no tensor", one({}), 9],
    ["a hole", one({ data_offsets: [4, 12] }), 12],
    [
      "a name given twice",
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
    ],
    ["metadata that are not strings", '{"__metadata__":{"a":1}}', 0],
    [
      "overlapping tensors",
      JSON.stringify({
        a: { dtype: "U8", shape: [4], data_offsets: [0, 4] },
        b: { dtype: "U8", shape: [4], data_offsets: [2, 6] },
      }),
      6,
    ],
  ])("refuses %s", async (_, header, data) => {
    await expect(readSafetensors(await craft(header, data))).rejects.toMatchObject({
      code: "MODEL_SAFETENSORS_INVALID",
    });
  });

  it.each([[1_000], [200_000_000], [2 ** 52]])("refuses a header that claims %i bytes", async (claimed) => {
    await expect(readSafetensors(await craft("{}", 0, claimed))).rejects.toMatchObject({
      code: "MODEL_SAFETENSORS_INVALID",
    });
  });

  it("refuses every truncation of a good file", async () => {
    const path = join(folder, "cut.safetensors");
    await writeSafetensors(path, [named("a", Tensor.zeros("float32", [4]))]);
    const whole = await readFile(path);
    for (let length = 0; length < whole.length; length += 3) {
      await writeFile(path, whole.subarray(0, length));
      await expect(readSafetensors(path)).rejects.toMatchObject({ code: "MODEL_SAFETENSORS_INVALID" });
    }
  });

  it("reports a file that shrinks after it was opened", async () => {
    const path = join(folder, "shrinks.safetensors");
    await writeSafetensors(path, [named("a", Tensor.zeros("float32", [4]))]);
    const file = await readSafetensors(path);
    await writeFile(path, (await readFile(path)).subarray(0, -4));
    await expect(file.read("a")).rejects.toMatchObject({ code: "MODEL_SAFETENSORS_INVALID" });
  });

  it("reports a file that is not there", async () => {
    await expect(readSafetensors(join(folder, "none"))).rejects.toMatchObject({
      code: "MODEL_FILE_UNREADABLE",
    });
  });
});

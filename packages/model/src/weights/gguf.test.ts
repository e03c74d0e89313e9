import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Block, f32, field, ggufBytes, text, u32, u64 } from "../fixtures/gguf-bytes.ts";
import { readGguf } from "./gguf.ts";

const VECTOR: Block = { name: "v", dimensions: [3], type: 0, bytes: f32(1, -2, 0.5) };
const MATRIX: Block = { name: "m", dimensions: [2, 3], type: 0, bytes: f32(1, 2, 3, 4, 5, 6) };

let path: string;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gguf-"));
  path = join(folder, "model.gguf");
});
afterEach(() => rm(folder, { recursive: true }));

const read = async (bytes: Uint8Array) => {
  await writeFile(path, bytes);
  return readGguf(path);
};

describe("readGguf()", () => {
  it.each([2, 3])("reads version %i: metadata, shapes outermost first, values and bytes", async (version) => {
    const file = await read(ggufBytes([field.string("general.name", "toy")], [VECTOR, MATRIX], { version }));
    expect(file).toMatchObject({ path, version, metadata: new Map([["general.name", "toy"]]) });
    expect([...file.tensors.keys()]).toEqual(["v", "m"]);
    const matrix = file.tensors.get("m")!;
    expect(matrix).toMatchObject({ type: "F32", shape: [3, 2], length: 24 });
    expect((await matrix.read()).toNumbers()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await matrix.readRaw()).toEqual(MATRIX.bytes);
  });

  it("reads a header longer than its first attempt", async () => {
    const long = field.string("tokens", "x".repeat(5_000_000));
    const { metadata, tensors } = await read(ggufBytes([long], [VECTOR]));
    expect(metadata.get("tokens")).toHaveLength(5_000_000);
    expect((await tensors.get("v")!.read()).toNumbers()).toEqual([1, -2, 0.5]);
  });

  it("keeps the byte order mark of a string, which may be a token", async () => {
    const { metadata } = await read(ggufBytes([field.strings("tokens", ["\ufeff", "\ufeffa"])], []));
    expect(metadata.get("tokens")).toEqual(["\ufeff", "\ufeffa"]);
  });

  it("follows the alignment that the file names", async () => {
    const { tensors } = await read(
      ggufBytes([field.uint32("general.alignment", 64)], [VECTOR, MATRIX], { alignment: 64 }),
    );
    expect((await tensors.get("m")!.read()).toNumbers()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("refuses a file cut off anywhere", async () => {
    const whole = ggufBytes(
      [field.string("general.name", "toy")],
      [VECTOR, { ...MATRIX, bytes: MATRIX.bytes }],
    );
    const needed = whole.length - 8; // the padding after the last tensor may be missing
    for (let length = 0; length < needed; length += 7) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({
        code: "MODEL_GGUF_INVALID",
      });
    }
    await expect(read(whole.subarray(0, needed))).resolves.toBeDefined();
  });

  it("reports a file that shrinks after it was opened", async () => {
    const { tensors } = await read(ggufBytes([], [VECTOR]));
    await truncate(path, 70);
    await expect(tensors.get("v")!.read()).rejects.toMatchObject({ code: "MODEL_GGUF_INVALID" });
  });

  it("reports a file that is not there", async () => {
    await expect(readGguf(join(folder, "none"))).rejects.toMatchObject({ code: "MODEL_FILE_UNREADABLE" });
  });

  const start = (tensors: number | bigint, fields: number | bigint) =>
    Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors), u64(fields)]);
  const rest = new Uint8Array(64);
  it.each([
    ["no GGUF", Buffer.concat([Buffer.from("ggml"), rest]), "MODEL_GGUF_INVALID", "does not begin with GGUF"],
    ["version 1", ggufBytes([], [], { version: 1 }), "MODEL_UNSUPPORTED", "version 1"],
    ["a big-endian file", ggufBytes([], [], { version: 0x03000000 }), "MODEL_UNSUPPORTED", "big-endian"],
    ["an unknown tensor type", ggufBytes([], [{ ...VECTOR, type: 19 }]), "MODEL_UNSUPPORTED", "of type 19"],
    [
      "an unknown metadata type",
      ggufBytes([{ ...field.uint32("a", 1), type: 13 }], []),
      "MODEL_GGUF_INVALID",
      "type 13",
    ],
    [
      "more tensors than bytes",
      Buffer.concat([start(2n ** 40n, 0), rest]),
      "MODEL_GGUF_INVALID",
      "tensor count",
    ],
    ["a size beyond numbers", Buffer.concat([start(2n ** 63n, 0), rest]), "MODEL_GGUF_INVALID", "too large"],
    [
      "a string longer than the file",
      Buffer.concat([start(0, 1), u64(10_000), rest]),
      "MODEL_GGUF_INVALID",
      "string length",
    ],
    [
      "an array longer than the file",
      ggufBytes([{ key: "a", type: 9, bytes: Buffer.concat([u32(0), u64(2n ** 50n)]) }], []),
      "MODEL_GGUF_INVALID",
      "array length",
    ],
    [
      "arrays in arrays without end",
      ggufBytes(
        [
          {
            key: "a",
            type: 9,
            bytes: Buffer.concat(
              Array(20)
                .fill([u32(9), u64(1)])
                .flat(),
            ),
          },
        ],
        [],
      ),
      "MODEL_GGUF_INVALID",
      "nested",
    ],
    [
      "metadata twice",
      ggufBytes([field.uint32("a", 1), field.uint32("a", 2)], []),
      "MODEL_GGUF_INVALID",
      "twice",
    ],
    ["a tensor twice", ggufBytes([], [VECTOR, VECTOR]), "MODEL_GGUF_INVALID", "twice"],
    [
      "five axes",
      ggufBytes([], [{ ...VECTOR, dimensions: [1, 1, 1, 1, 1] }]),
      "MODEL_GGUF_INVALID",
      "5 axes",
    ],
    [
      "rows of half a block",
      ggufBytes([], [{ ...VECTOR, dimensions: [48], type: 2 }]),
      "MODEL_GGUF_INVALID",
      "no whole blocks",
    ],
    [
      "an alignment of 7",
      ggufBytes([field.uint32("general.alignment", 7)], []),
      "MODEL_GGUF_INVALID",
      "alignment",
    ],
    [
      "a tensor that begins between two places",
      Buffer.concat([start(1, 0), text("v"), u32(1), u64(1), u32(0), u64(3), rest]),
      "MODEL_GGUF_INVALID",
      "no multiple of 32",
    ],
  ])("refuses %s", async (_, bytes, code, message) => {
    await expect(read(bytes)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});

